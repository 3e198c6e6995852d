import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { datasetSchema, suiteSchema } from '@promptkeep/evals'
import { Ajv } from 'ajv'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { createTestCli } from '../packages/cli/src/test-io.ts'
import { CaseSource, parseDataset } from '../packages/evals/src/dataset.ts'
import { parseSuite } from '../packages/evals/src/suite.ts'
import { Manifest } from '../packages/evals/src/suite-manifest.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const ajv = new Ajv({
  strict: true,
  strictTypes: false,
  strictRequired: false,
  allErrors: true,
  formats: { 'date-time': true },
})
const isSuite = ajv.compile(suiteSchema())
const isDataset = ajv.compile(datasetSchema())

/** Suites have scorers; the datasets beside them have none. */
const suites = ['apps/assistant/evals', 'examples/evals']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, `${name}`)),
  )
  .filter((file) => /\.ya?ml$/.test(file))
  .filter((file) => 'scorers' in (parse(readFileSync(join(root, file), 'utf8')) as object))

describe('the schemas', () => {
  it.each([
    { what: 'suite', schema: suiteSchema },
    { what: 'dataset', schema: datasetSchema },
  ])('$what: the file that is packed is what the command prints', async ({ what, schema }) => {
    const file = join(root, `packages/evals/schema/${what}.schema.json`)
    const hint = `npx promptkeep schema ${what} --write packages/evals/schema/${what}.schema.json`
    expect(await readFile(file, 'utf8'), hint).toBe(`${JSON.stringify(schema(), null, 2)}\n`)
    const cli = createTestCli(root)
    expect(await cli.run('schema', what)).toMatchObject({ code: 0, out: await readFile(file, 'utf8') })
  })

  it('are written where they are asked for', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'promptkeep-schema-'))
    onTestFinished(() => rm(dir, { recursive: true, force: true }))
    const { code, out } = await createTestCli(dir).run('schema', '--write', 'evals/suite.schema.json')
    expect(code).toBe(0)
    expect(out).toContain('# yaml-language-server: $schema=')
    expect(JSON.parse(await readFile(join(dir, 'evals/suite.schema.json'), 'utf8'))).toEqual(suiteSchema())
    expect(await createTestCli(dir).run('schema', 'prompt')).toMatchObject({
      code: 2,
      err: expect.stringContaining('suite, dataset'),
    })
  })

  it.each(suites)('accept %s and its dataset', (file) => {
    const text = readFileSync(join(root, file), 'utf8')
    expect({ valid: isSuite(parse(text)), errors: isSuite.errors }).toEqual({ valid: true, errors: null })
    const { dataset } = parseSuite(text, join(root, file))
    if (!/\.ya?ml$/.test(dataset)) return
    const cases: unknown = parse(readFileSync(resolve(dirname(file), dataset), 'utf8'))
    expect({ valid: isDataset(cases), errors: isDataset.errors }).toEqual({ valid: true, errors: null })
  })

  it('have suites to try them on', () => expect(suites.length).toBeGreaterThan(10))
})

/** Every key once; its line is its place in this list, from 1. */
const LINES: Readonly<Record<string, string>> = {
  $schema: '$schema: ./suite.schema.json',
  name: 'name: tone',
  description: 'description: Does it sound right?',
  dataset: 'dataset: tone.yaml',
  target: 'target: ./target.ts#chat',
  scorers: 'scorers: [contains, length: { max_words: 160 }, { regex: }, judge: { rubric: It is polite. }]',
  metric: 'metric: score.length',
  direction: 'direction: lower',
  threshold: 'threshold: 0.5',
  margin: 'margin: 0.05',
  hard: 'hard: [length]',
  estimand: 'estimand: these-cases',
  deterministic: 'deterministic: true',
  core: 'core: true',
  trials: 'trials: 8',
  retries: 'retries: 0',
  concurrency: 'concurrency: 2',
  timeout_seconds: 'timeout_seconds: 1.5',
  prices: 'prices: { input_per_million: 1, output_per_million: 0 }',
}
const write = (change: Readonly<Record<string, string | undefined>> = {}) =>
  Object.values({ ...LINES, ...change })
    .filter((line) => line !== undefined)
    .join('\n')
const lineOf = (key: string) => Object.keys(LINES).indexOf(key) + 1

/** A mistake at a key, and where it is reported: the path in the manifest. */
const MISTAKES: readonly { key: string; line: string; at?: string; unseen?: true }[] = [
  { key: '$schema', line: '$schema: 7' },
  { key: 'name', line: 'name: My Tone' },
  { key: 'name', line: 'name: 7' },
  { key: 'name', line: `name: ${'a'.repeat(65)}` },
  { key: 'description', line: 'description: [a]' },
  { key: 'dataset', line: "dataset: ''" },
  { key: 'dataset', line: 'dataset: { cases: [] }' },
  { key: 'target', line: "target: ''" },
  { key: 'target', line: 'target: 7' },
  { key: 'target', line: 'target: { promt: greeting }' },
  { key: 'target', line: 'target: { prompt: greeting, temperature: 0 }' },
  { key: 'target', line: 'target: { prompt: greeting, variables: { city: seed.city } }' },
  { key: 'target', line: 'target: { prompt: greeting, model: "" }' },
  { key: 'scorers', line: 'scorers: []' },
  { key: 'scorers', line: 'scorers: contains' },
  { key: 'scorers', line: 'scorers: [length, containz]', at: 'scorers[1]' },
  { key: 'scorers', line: 'scorers: [length, contains: { phrase: a }]', at: 'scorers[1].contains.phrase' },
  { key: 'scorers', line: 'scorers: [length: { max_words: many }]', at: 'scorers[0].length.max_words' },
  { key: 'scorers', line: 'scorers: [length: { max_words: 3 }, { regex: , cost: }]', at: 'scorers[1]' },
  { key: 'scorers', line: 'scorers: [length, module]', at: 'scorers[1]' },
  { key: 'scorers', line: 'scorers: [length, judge: { draws: 1 }]', at: 'scorers[1].judge.draws' },
  { key: 'scorers', line: 'scorers: [length, length]', at: 'scorers[1]', unseen: true },
  { key: 'metric', line: 'metric: passrate' },
  { key: 'metric', line: 'metric: score.lenght', unseen: true },
  { key: 'direction', line: 'direction: up' },
  { key: 'threshold', line: 'threshold: 90' },
  { key: 'threshold', line: 'threshold: high' },
  { key: 'margin', line: 'margin: 0' },
  { key: 'margin', line: 'margin: 1' },
  { key: 'gates', line: 'gates: []' },
  { key: 'gates', line: 'gates: [{ metric: pass_rate, threshold: 2 }]', at: 'gates[0].threshold' },
  { key: 'gates', line: 'gates: [{ metric: pass_rate }]', at: 'gates[0].threshold' },
  {
    key: 'gates',
    line: 'gates: [{ metric: score.tone, threshold: 1 }]',
    at: 'gates[0].metric',
    unseen: true,
  },
  { key: 'gates', line: 'gates: [{ metric: pass_rate, threshold: 1, delta: 1 }]', at: 'gates[0].delta' },
  { key: 'hard', line: 'hard: length' },
  { key: 'hard', line: 'hard: [lenght]', at: 'hard[0]', unseen: true },
  { key: 'estimand', line: 'estimand: all-cases' },
  { key: 'deterministic', line: 'deterministic: yes please' },
  { key: 'core', line: 'core: 1' },
  { key: 'trials', line: 'trials: 0' },
  { key: 'trials', line: 'trials: 2.5' },
  { key: 'trials', line: 'trials: 101' },
  { key: 'retries', line: 'retries: 11' },
  { key: 'retries', line: 'retries: -1' },
  { key: 'concurrency', line: 'concurrency: 0' },
  { key: 'concurrency', line: 'concurrency: 65' },
  { key: 'timeout_seconds', line: 'timeout_seconds: 0' },
  { key: 'timeout_seconds', line: 'timeout_seconds: 3601' },
  { key: 'prices', line: 'prices: 3' },
  { key: 'prices', line: 'prices: { input_per_million: 1 }', at: 'prices.output_per_million' },
  {
    key: 'prices',
    line: 'prices: { input_per_million: -1, output_per_million: 1 }',
    at: 'prices.input_per_million',
  },
]

describe('a mistake in a manifest', () => {
  let right: string
  beforeAll(() => {
    right = write()
  })

  it('is not in this one', () => {
    expect(parseSuite(right, 'suite.yaml').trials).toBe(8)
    expect({ valid: isSuite(parse(right)), errors: isSuite.errors }).toEqual({ valid: true, errors: null })
  })

  it('is tried at every key', () => {
    const tried = new Set(MISTAKES.map(({ key }) => key))
    expect(Object.keys(Manifest.shape).filter((key) => !tried.has(key))).toEqual([])
  })

  it.each(MISTAKES)(
    '$line: refused with file and line, and by the schema',
    ({ key, line, at = key, unseen }) => {
      // Gates stand in the place of a lone threshold and what belongs to it.
      const without = { metric: undefined, direction: undefined, margin: undefined }
      const text = key === 'gates' ? write({ ...without, threshold: line }) : write({ [key]: line })
      const number = key === 'gates' ? lineOf('threshold') - 2 : lineOf(key)
      const escaped = at.replace(/[.[\]$]/g, '\\$&')
      expect(() => parseSuite(text, 'suite.yaml')).toThrow(
        new RegExp(`^suite\\.yaml:${number}: ${escaped}[:.]`, 'm'),
      )
      // What depends on another part of the manifest is not seen from its form.
      expect(isSuite(parse(text))).toBe(unseen === true)
    },
  )

  it.each(['name', 'dataset', 'target', 'scorers', 'threshold'])('is a missing %s', (key) => {
    const text = write({ [key]: undefined })
    expect(() => parseSuite(text, 'suite.yaml')).toThrow(new RegExp(`^suite\\.yaml:1: ${key}: `, 'm'))
    expect(isSuite(parse(text))).toBe(false)
  })

  it.each([
    {
      rule: 'an unknown key',
      change: { core: 'Core: true' },
      error: 'suite.yaml:14: Core: no such key here',
    },
    {
      rule: 'gates beside a threshold',
      change: {
        margin: 'gates: [{ metric: pass_rate, threshold: 1 }]',
        metric: undefined,
        direction: undefined,
      },
      error: 'suite.yaml:8: gates: must have either threshold or gates',
    },
    {
      rule: 'gates beside what belongs to a lone one',
      change: { threshold: 'gates: [{ metric: pass_rate, threshold: 1 }]' },
      error: /suite\.yaml:7: metric: belongs to a lone.*\nsuite\.yaml:8: direction.*\nsuite\.yaml:10: margin/,
    },
  ])('is $rule', ({ change, error }) => {
    const text = write(change)
    expect(() => parseSuite(text, 'suite.yaml')).toThrow(error)
    expect(isSuite(parse(text))).toBe(false)
  })
})

describe('a mistake in a dataset', () => {
  it.each([
    { rule: 'no cases', cases: [] },
    { rule: 'a case without an id', cases: [{ input: 'hi' }] },
    { rule: 'neither input nor turns', cases: [{ id: 'a' }] },
    { rule: 'input and turns', cases: [{ id: 'a', input: 'hi', turns: ['hi'] }] },
    { rule: 'an unknown key', cases: [{ id: 'a', input: 'hi', tag: 'x' }] },
    { rule: 'a weight of nothing', cases: [{ id: 'a', input: 'hi', weight: 0 }] },
    {
      rule: 'an expectation of the wrong kind',
      cases: [{ id: 'a', input: 'hi', expected: { contains: 'x' } }],
    },
  ])('is seen by the schema: $rule', ({ cases }) => {
    expect(isDataset(cases)).toBe(false)
    expect(isDataset({ cases })).toBe(false)
  })

  it("is not what a scorer of one's own reads", () => {
    const cases = [{ id: 'a', input: 'hi', expected: { tone: 'calm', contains: ['x'] } }]
    expect(isDataset({ $schema: './dataset.schema.json', cases })).toBe(true)
  })
})

it('docs/suites.md shows a manifest and a dataset that are right', async () => {
  const docs = readFileSync(join(root, 'docs/suites.md'), 'utf8')
  const [manifest = '', dataset = '', target = ''] = [...docs.matchAll(/```yaml\n([\s\S]*?)```/g)].map(
    ([, text]) => text,
  )
  const suite = parseSuite(manifest, 'suite.yaml')
  expect(suite.gates).toHaveLength(2)
  expect(isSuite(parse(manifest))).toBe(true)
  expect(isDataset(parse(dataset))).toBe(true)
  const { scorers } = parseSuite(write({ target: target.trimEnd() }), 'suite.yaml')
  const csv = /```csv\n([\s\S]*?)```/.exec(docs)?.[1] ?? ''
  const { cases } = await parseDataset(csv, 'cases.csv', scorers)
  expect(cases).toMatchObject([
    { expected: { contains: ['six'], length: { max_words: 80 } }, tags: ['logistics', 'short'] },
  ])
  await expect(parseDataset(dataset, 'cases.yaml', scorers)).resolves.toHaveProperty('cases.length', 2)
  const rows = [...docs.matchAll(/^\| `([$\w]+)` \|/gm)].map(([, key]) => key)
  expect(rows).toEqual(
    expect.arrayContaining([...Object.keys(Manifest.shape), ...Object.keys(CaseSource.shape)]),
  )
})
