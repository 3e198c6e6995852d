import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkAlias, checkChain, checkName, checkVersion } from './check-names.ts'
import { InvalidInput, isRegistryError } from './errors.ts'
import { checkDraft, checkTags } from './validate.ts'

const loop: Record<string, unknown> = {}
loop.self = loop
const draft = { name: 'memory', template: 'text' }
const message = (extra: object) => ({ template: [{ role: 'user', content: 'x', ...extra }] })

describe('checkDraft', () => {
  it.each([
    { given: 5, says: /^draft must be .*; got 5$/ },
    { given: { ...draft, name: 'a/b' }, says: /^name must be letters, digits.*; got "a\/b"$/ },
    { given: { ...draft, name: '..' }, says: /^name must be/ },
    { given: { ...draft, name: '' }, says: /got ""$/ },
    { given: { ...draft, name: ['a'] }, says: /got a list$/ },
    { given: { ...draft, template: undefined }, says: /^template must be .*; got undefined$/ },
    { given: { ...draft, template: 7 }, says: /^template must be .*; got 7$/ },
    { given: { ...draft, template: '' }, says: /^template is empty/ },
    { given: { ...draft, template: ' \n' }, says: /^template is empty/ },
    { given: { ...draft, template: [] }, says: /^template is empty/ },
    { given: { ...draft, template: 'a\0b' }, says: /^template holds the character U\+0000/ },
    { given: { ...draft, template: 'a\ud800b' }, says: /^template holds a lone surrogate/ },
    {
      given: { ...draft, template: 'x'.repeat(100_001) },
      says: /^template has 100001 characters; at most 100000/,
    },
    { given: { ...draft, ...message({ role: undefined }) }, says: /^template\[0\].role must be/ },
    { given: { ...draft, ...message({ role: 5 }) }, says: /^template\[0\].role must be .*; got 5$/ },
    { given: { ...draft, ...message({ content: 5 }) }, says: /^template\[0\].content must be/ },
    {
      given: { ...draft, ...message({ content: ['x'] }) },
      says: /^template\[0\].content\[0\].type must be one of text/,
    },
    {
      given: { ...draft, ...message({ content: [{ type: 'text' }] }) },
      says: /^template\[0\].content\[0\] is no valid part of type text/,
    },
    { given: { ...draft, ...message({ content: [{ type: 'constructor' }] }) }, says: /content\[0\].type/ },
    {
      given: { ...draft, ...message({ content: [{ type: 'image_url', image_url: 'u' }] }) },
      says: /image_url/,
    },
    { given: { ...draft, ...message({ tool_calls: {} }) }, says: /^template\[0\].tool_calls must be/ },
    {
      given: { ...draft, ...message({ tool_calls: [{ function: {} }] }) },
      says: /tool_calls\[0\].id must be/,
    },
    {
      given: { ...draft, ...message({ tool_calls: [{ id: '1', function: { arguments: {} } }] }) },
      says: /function.arguments must be/,
    },
    {
      given: { ...draft, ...message({ x: { y: Number.NaN } }) },
      says: /^template\[0\].x.y must be a finite number; got NaN$/,
    },
    { given: { ...draft, ...message({ x: '\0' }) }, says: /^template\[0\].x holds the character/ },
    { given: { ...draft, template: ['x'] }, says: /^template\[0\] must be a JSON object/ },
    { given: { ...draft, modelConfig: [] }, says: /^modelConfig must be a JSON object; got an empty list$/ },
    {
      given: { ...draft, modelConfig: { temperature: -1 } },
      says: /^modelConfig.temperature must be a number of at least 0; got -1$/,
    },
    { given: { ...draft, modelConfig: { temperature: '1' } }, says: /got "1"$/ },
    { given: { ...draft, modelConfig: { temperature: null } }, says: /got null$/ },
    {
      given: { ...draft, modelConfig: { max_tokens: 0 } },
      says: /^modelConfig.max_tokens must be a whole number above 0/,
    },
    { given: { ...draft, modelConfig: { max_tokens: 1.5 } }, says: /max_tokens/ },
    { given: { ...draft, modelConfig: { top_p: 2 } }, says: /top_p must be a number from 0 to 1/ },
    {
      given: { ...draft, modelConfig: { stop_sequences: [1] } },
      says: /stop_sequences must be a list of texts/,
    },
    {
      given: { ...draft, modelConfig: { extra: () => 1 } },
      says: /^modelConfig.extra must be a JSON value; got a function$/,
    },
    {
      given: { ...draft, modelConfig: { extra: new Date(0) } },
      says: /^modelConfig.extra must be a JSON value; got an object$/,
    },
    { given: { ...draft, modelConfig: { extra: 1n } }, says: /got a bigint$/ },
    { given: { ...draft, modelConfig: loop }, says: /nested deeper than/ },
    {
      given: { ...draft, modelConfig: { extra: 'x'.repeat(100_000) } },
      says: /^modelConfig has 100012 characters as JSON/,
    },
    { given: { ...draft, responseFormat: 'x' }, says: /^responseFormat must be a JSON object/ },
    { given: { ...draft, commitMessage: 5 }, says: /^commitMessage must be a text; got 5$/ },
    { given: { ...draft, commitMessage: 'x'.repeat(5001) }, says: /^commitMessage must be at most 5000/ },
    { given: { ...draft, tags: [] }, says: /^tags must be/ },
    { given: { ...draft, tags: { a: 1 } }, says: /^tags\["a"\] must be a text; got 1$/ },
    { given: { ...draft, tags: { 'mlflow.prompt.text': 'x' } }, says: /not reserved/ },
    { given: { ...draft, tags: { 'promptkeep.digest': 'x' } }, says: /not reserved/ },
    { given: { ...draft, tags: { 'a?b': 'x' } }, says: /^tags key must be letters/ },
    { given: { ...draft, tags: { '../x': 'x' } }, says: /^tags key/ },
  ])('refuses: $says', ({ given, says }) => {
    expect(() => checkDraft(given)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringMatching(says) }),
    )
  })

  it('counts characters, not code units: 100,000 emoji are allowed', () => {
    expect(checkDraft({ ...draft, template: '👍'.repeat(100_000) }).template).toHaveLength(200_000)
  })

  it('copies, and leaves out what is undefined', () => {
    const given = { ...draft, template: [{ role: 'user', content: 'x', name: undefined }], tags: undefined }
    const checked = checkDraft(given)
    expect(checked).toStrictEqual({ name: 'memory', template: [{ role: 'user', content: 'x' }] })
    expect(checked.template[0]).not.toBe(given.template[0])
  })

  it('never fails with anything but a clear error, whatever it is given', () => {
    const field = fc.oneof(fc.anything(), fc.constant('ok'))
    const given = fc.record({
      name: field,
      template: field,
      modelConfig: field,
      responseFormat: field,
      commitMessage: field,
      tags: field,
    })
    fc.assert(
      fc.property(fc.oneof(fc.anything(), given), (anything) => {
        try {
          const { name, template } = checkDraft(anything)
          expect(name).toMatch(/^[\w.-]+$/)
          expect(template).not.toBe('')
        } catch (error) {
          expect(isRegistryError(error), String(error)).toBe(true)
          expect(error).toBeInstanceOf(InvalidInput)
        }
      }),
    )
  })
})

describe('names, aliases, versions, tags', () => {
  it.each(['production', '3', 'é', 'vx', 'a-b_c', 'x'.repeat(255)])('takes the alias %s', (alias) =>
    expect(() => checkAlias(alias)).not.toThrow(),
  )
  it.each([
    'latest',
    'LATEST',
    'v1',
    'V٣',
    'V22',
    '',
    'a b',
    'a.b',
    'a/b',
    'x'.repeat(256),
    5,
    null,
    undefined,
    {},
  ])('refuses the alias %j', (alias) => expect(() => checkAlias(alias)).toThrow(InvalidInput))
  it.each(['a', 'A.b_c-1', '...', 'x'.repeat(1000)])('takes the name %s', (name) =>
    expect(() => checkName(name)).not.toThrow(),
  )
  it.each([0, -1, 1.5, Number.NaN, 2 ** 31, '1', null, undefined])('refuses the version %j', (version) =>
    expect(() => checkVersion(version)).toThrow(InvalidInput),
  )
  it.each([[[]], [['a', 'a']], [['a', 5]], [5], [null], [['v1']]])('refuses the chain %j', (chain) =>
    expect(() => checkChain(chain)).toThrow(InvalidInput),
  )
  it('takes a chain, and latest in it', () => {
    expect(checkChain(['experiment', 'latest'])).toEqual(['experiment', 'latest'])
    expect(checkChain('production')).toEqual(['production'])
  })
  it('takes the tags that tools set', () => {
    expect(() =>
      checkTags({ 'promptkeep.git_commit': 'abc', 'promptkeep.source_file': 'a/b.md', 'a b/c:d': '' }),
    ).not.toThrow()
  })
})
