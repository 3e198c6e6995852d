import { createRegistry, type Registry } from '@promptkeep/client'
import { createMemoryTransport } from '@promptkeep/client/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CheckedSuite, type CheckOptions, check } from './check.ts'
import { EvalFailure } from './errors.ts'
import { createMemoryTracking } from './memory-tracking.fixture.ts'
import { HOUR_MS, passRates, type WrittenRun, writeRun } from './written-runs.fixture.ts'

let tracking: ReturnType<typeof createMemoryTracking>
let registry: Registry
const NOW = 1000 * HOUR_MS

beforeEach(() => {
  tracking = createMemoryTracking()
  registry = createRegistry({ transport: createMemoryTransport(), strict: true, cacheTtlSeconds: 0, env: {} })
})
afterEach(() => registry.close())

/** Versions 1, 2 … of a prompt; the aliases say which. */
async function prompt(name: string, texts: readonly string[], aliases: Readonly<Record<string, number>>) {
  for (const template of texts) await registry.register({ name, template })
  for (const [alias, version] of Object.entries(aliases)) await registry.setAlias(name, alias, version)
}

/** A run of what an alias says now, an hour ago. */
async function runOf(alias: string, name = 'memory', written: WrittenRun = {}): Promise<string> {
  const { version, digest } = await registry.load(name, { alias })
  return writeRun(tracking, {
    startedAt: NOW - HOUR_MS,
    prompts: { [name]: { version, digest, alias } },
    ...written,
    params: { alias_chain: alias === 'experiment' ? 'experiment,production' : alias, ...written.params },
  })
}
const ask = (options: Partial<CheckOptions> = {}) =>
  check({ experiment: 'evals', ...options }, { registry, tracking, now: () => NOW })

/** As its manifest says it. */
const suite = (changes: Partial<CheckedSuite> = {}): CheckedSuite => ({
  suite: { name: 'tone', hard: [], estimand: 'such-cases', deterministic: false },
  gates: [{ metric: 'pass_rate', direction: 'higher', threshold: 0.5, margin: 0.1 }],
  dataset: { digest: 'dataset-1', cases: Array.from({ length: 40 }, (_, i) => ({ id: `case-${i + 1}` })) },
  options: { suite: 'evals/tone.yaml' },
  ...changes,
})

describe('check of a candidate', () => {
  beforeEach(() => prompt('memory', ['one', 'two', 'three'], { production: 1, experiment: 2 }))

  it('passes when its run and the baseline say that it is no worse', async () => {
    const baselineRun = await runOf('production')
    const run = await runOf('experiment')
    const found = await ask()
    expect(found).toMatchObject({
      alias: 'experiment',
      to: 'production',
      outcome: 'pass',
      exitCode: 0,
      advice: [],
    })
    expect(found.checked).toMatchObject([
      {
        prompt: 'memory',
        candidate: { version: 2 },
        baseline: { version: 1 },
        suites: [{ suite: 'tone', outcome: 'pass', run, baselineRun }],
      },
    ])
    expect(found.checked[0]?.suites[0]).not.toHaveProperty('evidence')
    expect(await ask({ suites: [suite()] })).toMatchObject({ exitCode: 0 })
    expect(await ask({ suites: ['tone'], prompts: ['memory'] })).toMatchObject({ exitCode: 0 })
  })

  it('fails when it is worse, or does not reach a threshold', async () => {
    await runOf('production')
    await runOf('experiment', 'memory', { scores: passRates(12) })
    const found = await ask()
    expect(found).toMatchObject({ outcome: 'fail', exitCode: 1 })
    expect(found.checked[0]?.suites[0]?.worse).toHaveLength(12)
    const gates = [{ metric: 'pass_rate', direction: 'higher', threshold: 1, margin: 0.9 }] as const
    expect(await ask({ suites: [suite({ gates })] })).toMatchObject({
      exitCode: 1,
      checked: [{ suites: [{ reasons: [expect.stringContaining('must be ≥ 1')] }] }],
    })
  })

  it.each<{ rule: string; written: WrittenRun; want: string }>([
    { rule: 'stale', written: { startedAt: NOW - 30 * HOUR_MS }, want: 'it is stale' },
    {
      rule: 'marked invalid',
      written: { tags: { 'promptkeep.invalid': 'a swap' } },
      want: 'marked invalid: a swap',
    },
    { rule: 'a shard', written: { tags: { 'promptkeep.shard': '1/2' } }, want: 'it is shard 1/2' },
    { rule: 'killed', written: { status: 'KILLED' }, want: 'it is KILLED' },
    { rule: 'still going on', written: { status: 'RUNNING' }, want: 'it is RUNNING' },
    { rule: 'full of errors', written: { metrics: { errors: 3 } }, want: '3 of its cases ended in an error' },
    {
      rule: 'of another dataset',
      written: { params: { dataset_digest: 'old' } },
      want: 'it used another dataset',
    },
    {
      rule: 'by another judge',
      written: { params: { judge_model: 'j' } },
      want: 'not comparable: judge_model differs',
    },
    { rule: 'by another model', written: { params: { model: 'm' } }, want: 'not comparable: model differs' },
    { rule: 'too small', written: { scores: passRates(0, 12) }, want: 'says nothing of the cases' },
  ])('cannot tell by a run that is $rule, and says what to do', async ({ written, want }) => {
    await runOf('production')
    await runOf('experiment', 'memory', written)
    const found = await ask({ suites: [suite()] })
    expect(found).toMatchObject({ outcome: 'undecided', exitCode: 2 })
    expect(found.checked[0]?.suites[0]?.reasons.join('\n')).toContain(want)
    const isMissing = found.checked[0]?.suites[0]?.reasons.join().includes('no evidence')
    expect(found.advice).toEqual(
      isMissing ? ['promptkeep eval evals/tone.yaml --prompt-alias experiment,production'] : [],
    )
  })

  it('cannot tell when the alias was moved since its run, and says which version was judged', async () => {
    await runOf('production')
    const run = await runOf('experiment')
    await registry.setAlias('memory', 'experiment', 3)
    const found = await ask()
    expect(found).toMatchObject({ outcome: 'undecided', exitCode: 2 })
    expect(found.checked[0]?.suites[0]?.reasons).toEqual([
      `no evidence about memory v3 (experiment): no run of this suite judged memory v3; the newest run of experiment judged v2 (run ${run})`,
    ])
  })

  it('cannot tell without a run of the baseline', async () => {
    await runOf('experiment')
    const found = await ask({ suites: [suite()] })
    expect(found).toMatchObject({
      exitCode: 2,
      advice: ['promptkeep eval evals/tone.yaml --prompt-alias production'],
    })
    expect(found.checked[0]?.suites[0]?.reasons[0]).toContain('no baseline run of v1 (production)')
  })

  it('is inconclusive by too few cases', async () => {
    const cases = { scores: passRates(0, 12) }
    await runOf('production', 'memory', cases)
    await runOf('experiment', 'memory', cases)
    expect(await ask()).toMatchObject({ outcome: 'inconclusive', exitCode: 2 })
  })

  it('says which other prompts moved since the run', async () => {
    await prompt('base', ['a', 'b'], { production: 1 })
    const base = { version: 1, digest: (await registry.load('base')).digest, alias: 'production' }
    for (const alias of ['production', 'experiment']) {
      const { version, digest } = await registry.load('memory', { alias })
      await runOf(alias, 'memory', { prompts: { base, memory: { version, digest, alias } } })
    }
    expect(await ask()).toMatchObject({ exitCode: 0, notes: [] })
    await registry.setAlias('base', 'production', 2)
    const { exitCode, notes } = await ask()
    expect({ exitCode, note: notes[0] }).toEqual({
      exitCode: 0,
      note: expect.stringContaining('base was v1 in the run'),
    })
  })

  it('judges every candidate, and one that nobody judged is not passed by the others', async () => {
    await runOf('production')
    await runOf('experiment')
    await prompt('tone', ['a', 'b'], { production: 1, experiment: 2 })
    const found = await ask()
    expect(found.checked.map(({ prompt, outcome }) => [prompt, outcome])).toEqual([
      ['memory', 'pass'],
      ['tone', 'undecided'],
    ])
    expect(found).toMatchObject({ exitCode: 2 })
    expect(await ask({ prompts: ['memory'] })).toMatchObject({ exitCode: 0 })
  })

  it('says of a candidate that no suite uses that nobody judged it', async () => {
    await runOf('production')
    await runOf('experiment')
    await prompt('tone', ['a', 'b'], { production: 1, experiment: 2 })
    const found = await ask({ prompts: ['tone'], suites: [suite()] })
    expect(found).toMatchObject({
      outcome: 'undecided',
      exitCode: 2,
      checked: [{ suites: [{ outcome: 'not-concerned' }] }],
    })
    expect(found.problems[0]).toContain('no suite used tone, so nobody judged its v2')
  })

  it('goes by thresholds alone where there is nothing to compare with', async () => {
    await prompt('first', ['a'], { experiment: 1 })
    await runOf('experiment', 'first')
    const found = await ask({ prompts: ['first'] })
    expect(found).toMatchObject({
      exitCode: 0,
      notes: [expect.stringContaining('production of first is unset')],
    })
  })
})

describe('check of what is in production', () => {
  beforeEach(() => prompt('memory', ['one', 'two'], { production: 2 }))

  it('passes by the latest run, when it is about what production says now', async () => {
    const run = await runOf('production')
    const found = await ask()
    expect(found).toMatchObject({ alias: 'production', outcome: 'pass', exitCode: 0 })
    expect(found.checked).toMatchObject([{ suites: [{ suite: 'tone', run, outcome: 'pass' }] }])
    expect(found.notes[0]).toContain('thresholds alone decide')
  })

  it('is what is checked when experiment says nothing else', async () => {
    await registry.setAlias('memory', 'experiment', 2)
    await runOf('production')
    expect(await ask()).toMatchObject({ alias: 'production', exitCode: 0 })
    await expect(ask({ alias: 'experiment' })).rejects.toThrow('memory has the same text under production')
  })

  it('cannot tell once production was moved', async () => {
    await runOf('production')
    await registry.setAlias('memory', 'production', 1)
    const found = await ask()
    expect(found).toMatchObject({
      exitCode: 2,
      advice: ['promptkeep eval evals/tone.yaml --prompt-alias production'],
    })
    expect(found.checked[0]?.suites[0]?.reasons.join()).toMatch(
      /memory was v2 in the run \w+, and production of it is v1 now/,
    )
  })

  it.each<{ rule: string; written: WrittenRun; want: { exitCode: number; reason: string } }>([
    {
      rule: 'stale',
      written: { startedAt: NOW - 30 * HOUR_MS },
      want: { exitCode: 2, reason: 'it is stale' },
    },
    {
      rule: 'below a threshold',
      written: { scores: passRates(30) },
      want: { exitCode: 1, reason: 'pass_rate is 0.25' },
    },
    {
      rule: 'without prompts',
      written: { prompts: {} },
      want: { exitCode: 2, reason: 'does not say which prompts' },
    },
    {
      rule: 'not complete',
      written: { status: 'KILLED' },
      want: { exitCode: 2, reason: 'no complete run of this suite' },
    },
  ])('goes by a run that is $rule: $want.exitCode', async ({ written, want: { exitCode, reason } }) => {
    await runOf('production', 'memory', written)
    const found = await ask({ suites: [suite()] })
    expect(found).toMatchObject({ exitCode })
    expect(found.checked[0]?.suites[0]?.reasons.join()).toContain(reason)
  })

  it('tells of a suite that is known by no run, or by one that does not say enough', async () => {
    await runOf('production')
    await runOf('production', 'memory', { suite: 'old', params: { gates: null } })
    const found = await ask({ suites: ['tone', 'nothing', 'old'] })
    expect(found).toMatchObject({ outcome: 'undecided', exitCode: 2 })
    expect(found.problems).toEqual([
      'nothing: there is no complete run of this suite in the MLflow experiment evals',
      expect.stringMatching(/^old: the run \w+ does not say the suite's gates/),
    ])
  })
})

describe('check of nothing', () => {
  it.each([
    {
      rule: 'no runs',
      aliases: { production: 1 },
      runs: false,
      options: {},
      want: 'there are no runs in the MLflow experiment evals',
    },
    {
      rule: 'an unknown prompt',
      aliases: { production: 1 },
      runs: true,
      options: { prompts: ['x'] },
      want: 'the registry has no prompt x',
    },
    {
      rule: 'an alias that a prompt has not',
      aliases: { production: 1 },
      runs: true,
      options: { prompts: ['memory'], alias: 'canary' },
      want: 'memory has no alias canary',
    },
    {
      rule: 'an alias that nobody has',
      aliases: {},
      runs: true,
      options: {},
      want: 'there is nothing to check under alias production',
    },
  ])('is refused: $rule', async ({ aliases, runs, options, want }) => {
    await prompt('memory', ['one'], aliases)
    if (runs) await writeRun(tracking, {})
    const failure = await ask(options).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(EvalFailure)
    expect(failure).toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining(want) })
  })
})
