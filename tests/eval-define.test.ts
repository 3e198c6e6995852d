import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry, type Registry } from '@promptkeep/client'
import {
  createEvalDeps,
  defineEval,
  type EvalOptions,
  exitCodeOf,
  findSuiteFiles,
  loadSuite,
  runEval,
} from '@promptkeep/evals'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const CASES = [
  { id: 'one', input: 'hello', expected: { contains: ['Hi'], city: 'Oslo' } },
  { id: 'two', turns: ['a', 'b'], expected: { contains: ['Hi'] }, tags: ['short'] },
]
const HEAD = `import { defineEval } from '@promptkeep/evals'\n`
const DATA = `  data: ${JSON.stringify(CASES)},\n`
const TASK = `  task: async ({ input }, { prompt }) => (await prompt('greeting')).format({ who: input ?? 'all' }),\n`
const REST = `  scorers: ['contains'],\n  threshold: 1,\n`
const good = (exported = 'export const greeting =') =>
  `${HEAD}${exported} defineEval({\n  name: 'greeting',\n${DATA}${TASK}${REST}})\n`

describe('a suite in TypeScript', { timeout: 60_000 }, () => {
  let folder = ''
  let count = 0
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'promptkeep-define-'))
    const modules = join(folder, 'node_modules', '@promptkeep')
    await mkdir(modules, { recursive: true })
    for (const name of ['client', 'evals'])
      await symlink(fileURLToPath(new URL(`../packages/${name}`, import.meta.url)), join(modules, name))
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  /** Each in a file of its own: a module is imported once. */
  async function write(text: string, name = `suite-${++count}.eval.ts`): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, text)
    return path
  }
  const load = async (text: string, options: Partial<EvalOptions> = {}) =>
    loadSuite({ suite: await write(text), ...options }, { fetch })

  it('is what the same manifest is, with the same digest', async () => {
    await writeFile(join(folder, 'cases.jsonl'), CASES.map((one) => JSON.stringify(one)).join('\n'))
    await writeFile(join(folder, 'target.ts'), 'export const chat = { run: async () => ({}) }\n')
    const manifest = { name: 'greeting', dataset: 'cases.jsonl', target: './target.ts#chat', threshold: 1 }
    const scorers = ['contains', { module: { use: './reads.ts#reads', expects: 'city' } }]
    await writeFile(join(folder, 'reads.ts'), 'export const reads = () => ({ score: 1 })\n')
    const yaml = await write(JSON.stringify({ ...manifest, scorers }), 'greeting.yaml')
    const ofYaml = await loadSuite({ suite: yaml }, { fetch })
    const rest = `  target: './target.ts#chat',\n  scorers: ${JSON.stringify(scorers)},\n  threshold: 1,\n`
    const ofCode = await load(
      `${HEAD}export const greeting = defineEval({\n  name: 'greeting',\n${DATA}${rest}})`,
    )
    expect(ofCode.dataset).toMatchObject({ cases: CASES, digest: ofYaml.dataset.digest })
    const { path: _, dataset: __, scorers: ownScorers, ...suite } = ofCode.suite
    expect(ofYaml.suite).toMatchObject(suite)
    expect(ownScorers.map(({ name }) => name)).toEqual(ofYaml.suite.scorers.map(({ name }) => name))
    expect(ofCode.gates).toEqual(ofYaml.gates)
  })

  it.each(['export const greeting =', 'export default', 'export const a = 1\nexport const b ='])(
    'is exported as one likes: %s',
    async (exported) => {
      const reads = good(exported)
        .replace("['contains']", "['contains', () => 1]")
        .replace('() => 1', 'polite')
      const { suite } = await load(`const polite = () => 1\n${reads}`)
      expect(suite.scorers.map(({ name }) => name)).toEqual(['contains', 'polite'])
    },
  )

  it('may read its data, and be given others', async () => {
    const polite = "scorers: ['contains', { name: 'polite', score: () => 1 }]"
    const text = good()
      .replace(/ {2}data: .*\n/, `  data: async () => ${JSON.stringify(CASES)},\n`)
      .replace("scorers: ['contains']", polite)
    const { dataset } = await load(text)
    expect(dataset).toMatchObject({ name: 'greeting', cases: CASES })
    await writeFile(join(folder, 'other.csv'), 'id,input,expected.contains\nthree,hi,"[""Hi""]"\n')
    const other = await load(text, { dataset: join(folder, 'other.csv') })
    expect(other.dataset).toMatchObject({ name: 'other', cases: [{ id: 'three' }] })
  })

  it.each([
    { rule: 'a name with spaces', from: "'greeting'", to: "'My Greeting'", error: ':3: name: must be' },
    { rule: 'an unknown key', from: 'threshold', to: 'treshold', error: ':7: treshold: no such key here' },
    { rule: 'a threshold above 1', from: 'threshold: 1', to: 'threshold: 90', error: ':7: threshold: ' },
    { rule: 'no gate', from: '  threshold: 1,\n', to: '', error: ':2: threshold: must have either' },
    {
      rule: 'an unknown scorer',
      from: "'contains'",
      to: "'containz'",
      error: ':6: scorers[0]: unknown scorer',
    },
    {
      rule: 'a scorer without a name',
      from: "'contains'",
      to: '() => 1',
      error: ':6: scorers[0]: needs a name',
    },
    {
      rule: 'neither task nor target',
      from: TASK,
      to: '',
      error: ':2: target: must have either task or target',
    },
    {
      rule: 'a target beside a task',
      from: REST,
      to: `  target: './t.ts',\n${REST}`,
      error: ':6: target: must',
    },
    {
      rule: 'a time without end',
      from: REST,
      to: `  timeoutSeconds: 0,\n${REST}`,
      error: ':6: timeoutSeconds: ',
    },
    {
      rule: 'prices of a manifest',
      from: REST,
      to: `  prices: { input: 1 },\n${REST}`,
      error: ':6: prices.',
    },
    { rule: 'an id twice', from: '"id":"two"', to: '"id":"one"', error: ':4: [1].id: one is already case 1' },
    {
      rule: 'a case without input',
      from: '"input":"hello",',
      to: '',
      error: ':4: [0]: must have either input or',
    },
    { rule: 'data that are none', from: /data: .*\n/, to: "data: () => 'none',\n", error: ':4: ' },
    {
      rule: 'data that fail',
      from: /data: .*\n/,
      to: "data: () => { throw new Error('gone') },\n",
      error: 'gone',
    },
    {
      rule: 'an expectation that nothing reads',
      from: /$^/,
      to: '',
      error: ':4: [0].expected.city: no scorer of',
    },
    {
      rule: 'nothing of ours',
      from: 'defineEval({',
      to: 'Object({',
      error: 'exports nothing that defineEval made',
    },
    {
      rule: 'two suites',
      from: /$/,
      to: good('export const b =').replace(HEAD, ''),
      error: 'exports 2 suites',
    },
  ])('refuses $rule, with its line', async ({ from, to, error }) => {
    const text = good().replace(from, () => to)
    await expect(load(text)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining(error),
    })
  })

  it('knows in its scorers what its data expect', () => {
    defineEval({
      name: 'typed',
      data: [{ id: 'a', input: 'hi', expected: { city: 'Oslo', least: 3 } }],
      task: ({ input }) => input ?? '',
      scorers: [
        ({ output, expected }) => {
          expectTypeOf(output).toEqualTypeOf<string>()
          expectTypeOf(expected?.city).toEqualTypeOf<string | undefined>()
          expectTypeOf(expected?.least).toEqualTypeOf<number | undefined>()
          return 1
        },
        { name: 'named', score: ({ expected }) => ({ score: expected?.least === 3 ? 1 : 0, reason: 'so' }) },
        'contains',
        { length: { max_words: 3 } },
      ],
      threshold: 1,
    })
    // @ts-expect-error a suite without anything that answers
    defineEval({ name: 'nobody', data: [], scorers: ['contains'], threshold: 1 })
    const data = [{ id: 'a', input: 'hi', expected: { city: 'Oslo' } }]
    const common = { name: 'x', data, task: () => '', threshold: 1 }
    // @ts-expect-error what no case expects
    defineEval({ ...common, scorers: [({ expected }) => expected?.town.length] })
    // @ts-expect-error a key of the manifest
    defineEval({ ...common, scorers: ['contains'], timeout_seconds: 1 })
  })

  it('is found in a folder beside manifests', async () => {
    const dir = join(folder, 'found')
    await mkdir(join(dir, 'empty'), { recursive: true })
    for (const name of ['b.yaml', 'a.eval.ts', 'c.yml', 'd.ts', 'readme.md'])
      await writeFile(join(dir, name), '')
    const names = ['a.eval.ts', 'b.yaml', 'c.yml'].map((name) => join(dir, name))
    expect(await findSuiteFiles(['found', 'found/d.ts'], folder)).toEqual([...names, join(dir, 'd.ts')])
    await expect(findSuiteFiles(['nowhere'], folder)).rejects.toThrow('there is no suite nowhere')
    await expect(findSuiteFiles(['found/empty'], folder)).rejects.toThrow(
      'the folder found/empty holds no suites (.yaml or .eval.ts files)',
    )
  })

  describe('on a registry', () => {
    let server: TestRegistry
    let registry: Registry
    beforeAll(async () => {
      server = await startRegistry()
      registry = createRegistry({ trackingUri: server.url, strict: true, cacheTtlSeconds: 0, env: {} })
      for (const text of ['Hi {{ who }}', 'Hey {{ who }}'])
        await registry.register({ name: 'greeting', template: text })
      await registry.setAlias('greeting', 'production', 1)
      await registry.setAlias('greeting', 'experiment', 2)
    })
    afterAll(async () => {
      await registry?.close()
      await server?.stop()
    })
    const run = async (text: string, options: Partial<EvalOptions> = {}) => {
      const deps = createEvalDeps({ registry, trackingUri: server.url, env: {} })
      return runEval({ suite: await write(text), ...options }, deps)
    }
    const text = good().replace(
      "['contains']",
      "['contains', { name: 'polite', score: ({ expected }) => expected ? 1 : 0 }]",
    )

    it('knows the prompts that its task loaded', async () => {
      const report = await run(text)
      expect(report).toMatchObject({ verdict: 'passed', reasons: [], metrics: { 'score.polite': 1 } })
      expect(report.prompts.greeting).toMatchObject({ version: 1, alias: 'production' })
      expect(report.cases[0]?.result).toMatchObject({
        output: 'Hi hello',
        messages: [{ content: 'hello' }, { content: 'Hi hello' }],
      })
    })

    it('judges a candidate, and fails where the prompt got worse', async () => {
      const report = await run(text, { promptAlias: 'experiment' })
      expect(report).toMatchObject({ verdict: 'failed', prompts: { greeting: { version: 2 } } })
      expect(exitCodeOf(report)).toBe(1)
    })

    it('counts what a task throws as its error, with the prompts it had by then', async () => {
      const broken = text.replace(
        ".format({ who: input ?? 'all' })",
        ".name && Promise.reject(new Error('no model'))",
      )
      const report = await run(broken)
      expect(report).toMatchObject({ verdict: 'failed', metrics: { errors: 2 } })
      expect(report.cases[0]).toMatchObject({
        error: { kind: 'target', message: 'no model' },
        result: { prompts: { greeting: { version: 1 } } },
      })
    })

    it.each([
      {
        rule: 'a prompt that there is not',
        from: "prompt('greeting')",
        to: "prompt('greetings')",
        says: /greetings/,
      },
      {
        rule: 'no prompt at all',
        from: /await prompt.*\n/,
        to: "({ format: () => 'Hi' }).format()),\n",
        says: /prompts/,
      },
    ])('has no verdict with $rule', async ({ from, to, says }) => {
      expect(text).toMatch(from)
      const report = await run(
        text.replace(from, to).replace('=> (({', '=> ({').replace('.format()),', '.format(),'),
      )
      expect({ verdict: report.verdict, reason: report.reasons.join() }).toEqual({
        verdict: 'invalid',
        reason: expect.stringMatching(says),
      })
    })

    it('refuses an answer that is none', async () => {
      const report = await run(text.replace(/task: .*\n/, 'task: () => ({ text: 1 }),\n'))
      expect(report.cases[0]?.error?.message).toBe('the task answered {"text":1}, not a text or { output }')
    })
  })
})
