import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, RegistryError } from '@promptkeep/client'
import { createMemoryTransport } from '@promptkeep/client/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RegistryLog } from './alias-watch.ts'
import { EvalFailure } from './errors.ts'
import type { EvalOptions } from './load-suite.ts'
import { createMemoryTracking, type MemoryRun } from './memory-tracking.fixture.ts'
import { type EvalDeps, type Progress, runEval } from './run-eval.ts'
import type { Tracking } from './tracking-port.ts'

/** Says what its prompt says; the environment tells it how to go wrong. */
const TARGET = `
import { setTimeout as sleep } from 'node:timers/promises'
export const chat = ({ env }) => ({
  async run({ input }, { promptAlias, model, signal }) {
    const { error, source = 'registry', answered, digest, slow, only } = JSON.parse(env.TARGET ?? '{}')
    if (only === input) throw new Error('too many turns')
    if (error) throw Object.assign(new Error(error), { code: error })
    if (slow && input === 'second') await sleep(60_000, undefined, { signal })
    const prompts = { base: { version: source === 'default' ? 0 : 1, alias: promptAlias.at(-1), digest, source, ageMs: 0 } }
    const usage = { inputTokens: 0, outputTokens: 0, requests: 1 }
    return { output: 'hello', messages: [], toolCalls: [], prompts, fingerprint: '', model: answered ?? model, usage }
  },
  close: async () => { if (env.CLOSED) throw new Error(env.CLOSED) },
})
`

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'promptkeep-run-'))
  const cases = [
    { id: 'one', input: 'first' },
    { id: 'two', input: 'second' },
  ]
  const suite = {
    name: 'greeting',
    dataset: 'cases.json',
    target: './target.mjs#chat',
    scorers: [{ contains: { phrases: ['hello'] } }],
    threshold: 1,
  }
  await writeFile(join(folder, 'target.mjs'), TARGET)
  await writeFile(join(folder, 'cases.json'), JSON.stringify(cases))
  await writeFile(join(folder, 'mean.yaml'), JSON.stringify({ ...suite, metric: 'score.contains' }))
  await writeFile(join(folder, 'suite.yaml'), JSON.stringify(suite))
  await writeFile(
    join(folder, 'strict.yaml'),
    JSON.stringify({ ...suite, scorers: [{ contains: { phrases: ['bye'] } }] }),
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

let tracking: ReturnType<typeof createMemoryTracking>
/** The only run there is. */
const logged = () => tracking.runs[0] as MemoryRun
let digest: string
let registry: ReturnType<typeof createRegistry>
beforeEach(async () => {
  tracking = createMemoryTracking()
  registry = createRegistry({ transport: createMemoryTransport(), strict: true, cacheTtlSeconds: 0, env: {} })
  digest = (await registry.register({ name: 'base', template: 'Be brief.' })).digest
  await registry.setAlias('base', 'production', 1)
})

/** A registry's log in which nothing happens. */
const quiet: RegistryLog = {
  capabilities: async () => ({
    ...{ server: 'promptkeep', version: '1', seed: true, compareAndSet: true },
    ...{ history: true, live: true, fleet: true },
  }),
  changes: async () => ({ items: [] }),
}

function run(target: object = {}, options: Partial<EvalOptions> = {}, deps: Partial<EvalDeps> = {}) {
  return runEval(
    { suite: join(folder, 'suite.yaml'), ...options },
    {
      registry,
      log: quiet,
      tracking,
      trackingUri: 'http://registry',
      experiment: 'evals',
      fetch,
      env: { TARGET: JSON.stringify({ digest, ...target }), USER: 'ada' },
      now: () => 1000,
      newId: () => 'x',
      git: async (args) => (args[0] === 'rev-parse' ? 'abc123\n' : ' M file.ts\n'),
      ...deps,
    },
  )
}

describe('a run', () => {
  it('passes, and leaves its record', async () => {
    const report = await run({}, { model: 'm', judgeModel: 'j' })
    expect(report).toMatchObject({ suite: 'greeting', verdict: 'passed', reasons: [], model: 'm' })
    expect(report.notes).toEqual(['judge model j was not asked: no scorer of this suite needs one'])
    expect(logged().status).toBe('FINISHED')
    expect(logged().params).toMatchObject({
      suite: 'greeting',
      model: 'm',
      'prompt.base': 'v1',
    })
    expect(logged().tags).toMatchObject({
      'mlflow.user': 'ada',
      'mlflow.source.git.commit': 'abc123',
      'mlflow.source.git.dirty': 'true',
      'mlflow.linkedPrompts': '[{"name":"base","version":"1"}]',
    })
    expect(logged().metrics).toMatchObject({ pass_rate: 1, 'score.contains': 1 })
  })

  it('fails at its gate', async () => {
    const report = await run({}, { suite: join(folder, 'strict.yaml') })
    expect(report).toMatchObject({ verdict: 'failed', reasons: ['pass_rate is below 1'] })
    expect(logged()).toMatchObject({ status: 'FINISHED', metrics: { pass_rate: 0 } })
    expect(logged().tags).not.toHaveProperty('promptkeep.invalid')
  })

  it('takes the threshold that it is given', async () => {
    const report = await run({}, { suite: join(folder, 'strict.yaml'), passThreshold: 0 })
    expect(report.verdict).toBe('passed')
    expect(logged().params['gate.threshold']).toBe('0')
  })

  it('counts an error of the target as not passed', async () => {
    const report = await run({ error: 'too many turns' })
    expect(report).toMatchObject({ metrics: { pass_rate: 0, errors: 2 }, prompts: {} })
    expect(report.verdict).toBe('invalid')
    expect(report.reasons).toEqual(['the target reported no prompts'])
  })

  it.each([
    {
      rule: 'a fallback answered',
      target: { source: 'default' },
      status: 'FINISHED',
      reason: 'base was answered from default (version 0) in case one',
    },
    {
      rule: 'the target has another text of the version',
      target: { digest: 'other' },
      status: 'FINISHED',
      reason: 'version 1 of base has another text in the registry',
    },
    {
      rule: 'another model answered',
      target: { answered: 'small' },
      options: { model: 'large' },
      status: 'FINISHED',
      reason: 'model large was asked for and small answered',
    },
    {
      rule: "the target's registry is down",
      target: { error: 'UNAVAILABLE' },
      status: 'FAILED',
      reason: 'infrastructure error in case one: UNAVAILABLE',
    },
  ])('has no verdict when $rule', async ({ target, options, status, reason }) => {
    const report = await run(target, options)
    expect(report).toMatchObject({ verdict: 'invalid', reasons: [reason] })
    expect(logged()).toMatchObject({ status, tags: { 'promptkeep.invalid': reason } })
  })

  it('is not concerned when no case used the candidate: no pass, and said once', async () => {
    await registry.register({ name: 'memory', template: 'Search first.' })
    await registry.setAlias('memory', 'experiment', 1)
    const report = await run({}, { promptAlias: 'experiment' })
    const reason = 'no case used a prompt that has alias experiment (memory v1)'
    expect(report).toMatchObject({
      verdict: 'not-concerned',
      reasons: [reason],
      notes: [],
      candidates: { memory: { version: 1, cases: 0 } },
      run: { experiment: 'evals' },
    })
    expect(logged()).toMatchObject({ status: 'FINISHED', tags: { 'promptkeep.invalid': reason } })
  })

  it('says of an interruption that it was one', async () => {
    const stop = new AbortController()
    const onProgress = ({ passed }: Progress) => {
      if (passed === 1) stop.abort()
    }
    const report = await run({ slow: true }, {}, { signal: stop.signal, onProgress })
    expect(report).toMatchObject({
      verdict: 'invalid',
      reasons: ['interrupted'],
      metrics: { passed: 1, not_run: 1 },
    })
    expect(logged()).toMatchObject({ status: 'KILLED', tags: { 'promptkeep.invalid': 'interrupted' } })
    expect(logged().metrics).not.toHaveProperty('pass_rate')
  })

  it('is whole when the interruption comes after its last case', async () => {
    const stop = new AbortController()
    const onProgress = ({ passed, total }: Progress) => {
      if (passed === total) stop.abort()
    }
    expect((await run({}, {}, { signal: stop.signal, onProgress })).verdict).toBe('passed')
  })

  it('has no verdict when its target cannot be closed', async () => {
    const env = { TARGET: JSON.stringify({ digest }), CLOSED: 'port in use' }
    await expect(run({}, {}, { env })).rejects.toThrow('the target could not be closed: port in use')
    expect(logged()).toMatchObject({ status: 'FAILED' })
  })

  it('says why the mean of a scorer passes nothing when a case ended in an error', async () => {
    const report = await run({ only: 'second' }, { suite: join(folder, 'mean.yaml') })
    expect(report).toMatchObject({
      verdict: 'failed',
      reasons: ['1 of 2 cases ended in an error, and score.contains is about the others only'],
    })
  })

  it('tells how far it is', async () => {
    const seen: number[] = []
    await run({}, {}, { onProgress: ({ passed, total }) => seen.push(passed / total) })
    expect(seen).toEqual([0, 0.5, 1])
  })

  it('does not begin when the registry is down', async () => {
    const list = () => Promise.reject(new RegistryError('UNAVAILABLE', 'nobody there'))
    await expect(run({}, {}, { registry: { ...registry, list } })).rejects.toMatchObject({
      code: 'INFRASTRUCTURE',
      message: 'the registry cannot be asked: nobody there',
    })
    expect(tracking.runs).toEqual([])
  })

  it('has no verdict when its record cannot be written, and rejects', async () => {
    const broken: Tracking = {
      ...tracking,
      async startRun(request) {
        const started = await tracking.startRun(request)
        return {
          ...started,
          logMetrics: () => Promise.reject(new EvalFailure('INFRASTRUCTURE', 'disk full')),
        }
      },
    }
    await expect(run({}, {}, { tracking: broken })).rejects.toThrow('disk full')
    expect(logged()).toMatchObject({ status: 'FAILED', tags: { 'promptkeep.invalid': 'disk full' } })
  })

  it.each([
    {
      rule: 'a missing suite',
      options: { suite: 'none.yaml' },
      error: /^the suite none\.yaml cannot be read/,
    },
    {
      rule: 'a missing dataset',
      options: { dataset: 'none.yaml' },
      error: /^the dataset .*none\.yaml cannot be read/,
    },
    {
      rule: 'a threshold out of range',
      options: { passThreshold: 2 },
      error: 'a pass threshold is a number from 0',
    },
    {
      rule: 'an alias that nothing has',
      options: { promptAlias: 'canary' },
      error: 'nothing to judge under alias canary',
    },
  ])('refuses $rule before anything is logged', async ({ options, error }) => {
    await expect(run({}, options)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(error),
    })
    expect(tracking.runs).toEqual([])
  })
})
