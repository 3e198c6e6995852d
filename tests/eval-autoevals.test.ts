import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scoreBy } from '@promptkeep/evals'
import { Levenshtein } from 'autoevals'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadSuite } from '../packages/evals/src/load-suite.ts'
import { answer } from '../packages/evals/src/scorers/answer.fixture.ts'

const TARGET = `export const target = { run: async () => { throw new Error('not asked') } }`
/** All that stands between a suite and the package. */
const SCORERS = `export { ExactMatch, JSONDiff, Levenshtein, ListContains, NumericDiff, ValidJSON } from 'autoevals'`

const SUITE = {
  name: 'autoevals',
  dataset: 'cases.yaml',
  target: './target.ts',
  threshold: 1,
  scorers: [
    { module: { use: './scorers.ts#ExactMatch', expects: 'exactly' } },
    { module: { use: './scorers.ts#Levenshtein', expects: 'nearly' } },
    { module: { use: './scorers.ts#NumericDiff', expects: 'number', output: 'json' } },
    { module: { use: './scorers.ts#JSONDiff', expects: 'json' } },
    { module: { use: './scorers.ts#ListContains', expects: 'list', output: 'json' } },
    { module: { use: './scorers.ts#ValidJSON', name: 'valid', options: { schema: { type: 'object' } } } },
  ],
}
const CASES = [
  { id: 'exactly', input: 'x', expected: { exactly: 'Paris' } },
  { id: 'nearly', input: 'x', expected: { nearly: 'kitten' } },
  { id: 'number', input: 'x', expected: { number: 10 } },
  { id: 'json', input: 'x', expected: { json: { a: 1, b: 'two' } } },
  { id: 'list', input: 'x', expected: { list: ['a', 'b'] } },
]

describe("autoevals' own scorers, as a suite names them", () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'promptkeep-autoevals-'))
    // Its modules find the package as a user's would.
    await symlink(fileURLToPath(new URL('../node_modules', import.meta.url)), join(folder, 'node_modules'))
    const files = { 'target.ts': TARGET, 'scorers.ts': SCORERS }
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
    await writeFile(join(folder, 'suite.yaml'), JSON.stringify(SUITE))
    await writeFile(join(folder, 'cases.yaml'), JSON.stringify(CASES))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it.each([
    { id: 'exactly', name: 'ExactMatch', output: 'Paris', score: 1 },
    { id: 'exactly', name: 'ExactMatch', output: 'Lyon', score: 0 },
    { id: 'nearly', name: 'Levenshtein', output: 'sitting', score: 1 - 3 / 7 },
    { id: 'number', name: 'NumericDiff', output: '10', score: 1 },
    { id: 'number', name: 'NumericDiff', output: '20', score: 1 - 10 / 30 },
    { id: 'json', name: 'JSONDiff', output: '{"b":"two","a":1}', score: 1 },
    { id: 'json', name: 'JSONDiff', output: '{"a":1}', score: 0.5 },
    { id: 'list', name: 'ListContains', output: '["a"]', score: 0.5 },
    { id: 'exactly', name: 'valid', output: '{}', score: 1 },
    { id: 'exactly', name: 'valid', output: '{', score: 0 },
  ])('$name gives $output $score', async ({ id, name, output, score }) => {
    const { suite, dataset } = await loadSuite({ suite: join(folder, 'suite.yaml') }, { fetch })
    const testCase = dataset.cases.find((one) => one.id === id)
    const scorer = suite.scorers.find((one) => one.name === name)?.forCase(testCase ?? {})
    const given = await scorer?.(answer({ output, expected: testCase?.expected }))
    expect(given?.name).toBe(name)
    expect(given?.score).toBeCloseTo(score, 9)
  })
})

it("autoevals' functions are scorers in TypeScript as they are", async () => {
  const near = scoreBy({ name: 'near', score: Levenshtein, expects: 'nearly' })
  const expected = { nearly: 'kitten' }
  expect(await near.forCase({ expected })?.(answer({ output: 'mitten', expected }))).toEqual({
    name: 'near',
    score: 1 - 1 / 6,
  })
  // It throws without a text to compare with, which is no verdict.
  const always = scoreBy({ name: 'always', score: Levenshtein })
  await expect(always.forCase({})?.(answer({ output: 'x' }))).rejects.toThrow(
    'always: LevenshteinScorer requires',
  )
})
