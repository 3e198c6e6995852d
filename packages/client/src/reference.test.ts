import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatReference, parseReference } from './reference.ts'

describe('parseReference', () => {
  it.each([
    ['memory', { name: 'memory' }],
    ['prompts:/memory', { name: 'memory' }],
    ['memory@production', { name: 'memory', alias: 'production' }],
    ['prompts:/memory@latest', { name: 'memory', alias: 'latest' }],
    ['memory/3', { name: 'memory', version: 3 }],
    ['prompts:/memory/12', { name: 'memory', version: 12 }],
    ['memory@3', { name: 'memory', alias: '3' }],
    ['a.b_c-d@é', { name: 'a.b_c-d', alias: 'é' }],
  ])('%s', (text, want) => expect(parseReference(text)).toEqual(want))

  it.each([
    '',
    'prompts:/',
    'prompts:/@a',
    'memory@',
    'memory/',
    'memory/latest',
    'memory/0',
    'memory/-1',
    'memory/1.5',
    'memory/99999999999',
    'memory@v3',
    'memory@a@b',
    'memory/3@a',
    'prompts://memory',
    'models:/memory/1',
    'a b',
    '..',
    `a${'x'.repeat(2000)}`,
    7,
    null,
    undefined,
    {},
  ])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }))
  })

  it('reads back what formatReference writes', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}$/).filter((n) => n !== '.' && n !== '..')
    const alias = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/).filter((a) => !/^(latest|v\d+)$/i.test(a))
    const reference = fc.oneof(
      fc.record({ name }),
      fc.record({ name, alias }),
      fc.record({ name, version: fc.integer({ min: 1, max: 2_147_483_647 }) }),
    )
    fc.assert(
      fc.property(reference, (it) => {
        expect(parseReference(formatReference(it))).toEqual({ ...it })
      }),
    )
  })
})
