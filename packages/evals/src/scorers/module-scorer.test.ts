import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answer } from './answer.fixture.ts'
import { moduleScorer, scoreBy } from './module-scorer.ts'
import type { ScorerArgs } from './scorer.ts'

/** TypeScript as a suite's author would write it: types, no build. */
const MODULE = `
interface Args { readonly output: string; readonly expected?: unknown; readonly most?: number; readonly messages: readonly object[] }
export const scorer = ({ output }: Args) => ({ score: output === 'good' ? 1 : 0.25 })
export const told = (args: Args) => ({ score: 1, reason: JSON.stringify([args.output, args.expected, args.most]) })
export const rationale = async () => ({ name: 'Other', score: 0.5, metadata: { rationale: 'half of it', extra: 1 } })
export const silent = () => ({ score: null })
export const boom = () => { throw new Error('no network') }
export const reject = async () => { throw new Error('no network') }
export const failed = () => ({ score: 0, error: 'no network' })
export const nan = () => ({ score: Number.NaN })
export const percent = () => ({ score: 85 })
export const text = () => ({ score: '1' })
export const bare = () => 1
export const slow = () => new Promise(() => {})
export const made = { create: ({ word }: { word: string }) => {
  if (!word) throw new Error('give it a word')
  return ({ output }: Args) => ({ score: output.includes(word) ? 1 : 0 })
} }
export const empty = { create: () => 3 }
export const number = 3
`

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'promptkeep-scorer-'))
  await writeFile(join(folder, 'scorers.ts'), MODULE)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function load(options: object) {
  const bound = moduleScorer.bind(options)
  if (!('forCase' in bound)) throw new Error(JSON.stringify(bound))
  const loaded = await bound.load?.(join(folder, 'suite.yaml'))
  if (!loaded) throw new Error('nothing to load')
  return loaded
}
const ask = async (name: string, args: Partial<ScorerArgs> = {}, options: object = {}) =>
  (await load({ use: `./scorers.ts#${name}`, ...options })).forCase(args)?.(answer(args))

describe('a scorer in a module', () => {
  it('is the export that is named, or "scorer"; its name is that of the export unless the suite says another', async () => {
    expect(await ask('scorer', { output: 'good' })).toEqual({ name: 'scorer', score: 1 })
    const usual = await load({ use: './scorers.ts' })
    expect([usual.name, usual.kind]).toEqual(['scorer', 'module'])
    expect((await load({ use: './scorers.ts#told', name: 'mine' })).name).toBe('mine')
  })

  it('is told the answer and the suite’s options, which cannot take the place of the answer', async () => {
    const { reason } = (await ask('told', { output: 'x' }, { options: { most: 3, output: 'y' } })) ?? {}
    expect(reason).toBe('["x",null,3]')
  })

  it('is given the whole of what a case expects, or one key of it, and then only cases that have it', async () => {
    const expected = { near: 'Paris', other: 1 }
    expect((await ask('told', { output: 'x', expected }))?.reason).toBe(
      `["x",${JSON.stringify(expected)},null]`,
    )
    expect((await ask('told', { output: 'x', expected }, { expects: 'near' }))?.reason).toBe(
      '["x","Paris",null]',
    )
    expect(await ask('told', { output: 'x', expected: { other: 1 } }, { expects: 'near' })).toBe(undefined)
  })

  it('may be given the value of an answer that is JSON', async () => {
    const json = { output: 'json' }
    expect((await ask('told', { output: '[1, 2]' }, json))?.reason).toBe('[[1,2],null,null]')
    expect(await ask('told', { output: 'one' }, json)).toEqual({
      name: 'told',
      score: 0,
      reason: 'is not JSON',
    })
  })

  it('may give its reason as metadata, under the name that the suite gave it', async () => {
    expect(await ask('rationale')).toEqual({
      name: 'rationale',
      score: 0.5,
      reason: 'half of it',
      metadata: { rationale: 'half of it', extra: 1 },
    })
  })

  it('may have nothing to say', async () => {
    expect(await ask('silent')).toEqual({ name: 'silent', score: null })
  })

  it.each([
    ['boom', 'boom: no network'],
    ['reject', 'reject: no network'],
    ['failed', 'failed: no network'],
    ['nan', 'nan scored null, not a number from 0 to 1'],
    ['percent', 'percent scored 85, not a number from 0 to 1'],
    ['text', 'text scored "1", not a number from 0 to 1'],
    ['bare', 'bare answered 1, not { score, reason? }'],
  ])('is an error, never a 0, when it is %s', async (name, says) => {
    await expect(ask(name)).rejects.toThrow(says)
  })

  it('is an error when it takes too long', async () => {
    await expect(ask('slow', {}, { timeout_seconds: 0.02 })).rejects.toThrow('slow: no score within 0.02 s')
  })

  it('may be made from the suite’s options', async () => {
    const options = { options: { word: 'egg' } }
    expect(await ask('made', { output: 'an egg' }, options)).toMatchObject({ score: 1 })
    expect(await ask('made', { output: 'a hen' }, options)).toMatchObject({ score: 0 })
  })

  it.each([
    ['./none.ts#x', /^scorer \.\/none\.ts#x: there is no .*none\.ts$/],
    ['./scorers.ts#number', /no scorer is exported as number; exported are bare, boom, empty,/],
    ['./scorers.ts#made', /cannot be made: give it a word$/],
    ['./scorers.ts#empty', /made something that is no function$/],
  ])('is refused before anything runs: %s', async (use, says) => {
    await expect(load({ use })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(says),
    })
  })

  it.each([
    [{}, 'use'],
    [{ use: './a.ts#b#c' }, 'use'],
    [{ use: './a.ts#b c' }, 'use'],
    [{ use: './a.ts', most: 3 }, 'most'],
    [{ use: './a.ts', timeout_seconds: 0 }, 'timeout_seconds'],
  ])('refuses %j', (options, field) => {
    const bound = moduleScorer.bind(options)
    expect(Array.isArray(bound) && bound[0]?.path[0]).toBe(field)
  })
})

it('a function is a scorer as it is', async () => {
  const bound = scoreBy({
    name: 'short',
    score: ({ output }) => ({ score: String(output).length < 5 ? 1 : 0 }),
  })
  expect(await bound.forCase({})?.(answer({ output: 'yes' }))).toEqual({ name: 'short', score: 1 })
})
