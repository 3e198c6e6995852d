import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, type Registry } from '@promptkeep/client'
import {
  createEvalDeps,
  type EvalDeps,
  type EvalReport,
  loadSuite,
  mergeShards,
  parseShard,
  type RunOptions,
  readScores,
  runSuite,
} from '@promptkeep/evals'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from './support/registry.ts'

/** Loads its prompt, notes what it is asked in a file, and ends the world where the environment says so. */
const TARGET = `
import { appendFileSync, readFileSync } from 'node:fs'
import { createRegistry } from ${JSON.stringify(new URL('../packages/client/dist/index.js', import.meta.url).href)}

export function chat({ trackingUri, env }) {
  const registry = createRegistry({ trackingUri, env: {}, strict: true, cacheTtlSeconds: 0 })
  let asked = 0
  return {
    async run({ id, input }, { promptAlias, trial, signal }) {
      appendFileSync(env.ASKED, id + ' ' + trial + '\\n')
      const prompt = await registry.load('base', { alias: promptAlias })
      if (++asked === Number(env.STOP_AT)) env.stop()
      signal.throwIfAborted()
      const { name, version, alias, digest, source, ageMs } = prompt
      return {
        output: prompt.format() + ' ' + input,
        messages: [], toolCalls: [],
        prompts: { [name]: { version, alias, digest, source, ageMs } },
        fingerprint: '',
        usage: { inputTokens: 10, outputTokens: 10, requests: 1 },
      }
    },
    close: () => registry.close(),
  }
}
`
const COUNT = 23

let server: TestRegistry
let registry: Registry
let folder = ''
let asked = ''
let count = 0
beforeAll(async () => {
  server = await startRegistry()
  registry = createRegistry({ trackingUri: server.url, strict: true, cacheTtlSeconds: 0, env: {} })
  await registry.register({ name: 'base', template: 'Good' })
  await registry.setAlias('base', 'production', 1)
  folder = await mkdtemp(join(tmpdir(), 'promptkeep-resume-'))
  const cases = Array.from({ length: COUNT }, (_, i) => ({
    id: `case-${i}`,
    input: i % 4 === 0 ? 'night' : 'day',
    tags: [i % 2 ? 'odd' : 'even'],
  }))
  await writeFile(join(folder, 'target.mjs'), TARGET)
  await writeFile(join(folder, 'cases.json'), JSON.stringify(cases))
  const suite = { dataset: 'cases.json', target: './target.mjs#chat', threshold: 0.5, concurrency: 2 }
  const prices = { input_per_million: 1, output_per_million: 2 }
  const scorers = [{ contains: { phrases: ['day'] } }]
  await writeFile(join(folder, 'once.yaml'), JSON.stringify({ ...suite, name: 'once', scorers, prices }))
  await writeFile(join(folder, 'twice.yaml'), JSON.stringify({ ...suite, name: 'twice', scorers, trials: 2 }))
})
afterAll(async () => {
  await registry?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(() => {
  asked = join(folder, `asked-${++count}.txt`)
})

/** A world of its own: its journals and answers, and what its target was asked. */
function world(more: Partial<EvalDeps> = {}) {
  const own = join(folder, `own-${count}`)
  const deps = createEvalDeps({
    registry,
    trackingUri: server.url,
    env: { ASKED: asked },
    git: async () => undefined,
  })
  return { ...deps, experiment: `world ${count}`, journals: join(own, 'evals'), ...more }
}

const run = async (name: string, deps: EvalDeps, how: RunOptions = {}): Promise<EvalReport> =>
  runSuite(await loadSuite({ suite: join(folder, `${name}.yaml`) }, { fetch }), deps, how)

const readAsked = async () => (await readFile(asked, 'utf8')).trim().split('\n')

/** Stops the run when its target has been asked this often. */
function stopping(at: number) {
  const stop = new AbortController()
  const env = { ASKED: asked, STOP_AT: String(at), stop: () => stop.abort() } as unknown as EvalDeps['env']
  return world({ env, signal: stop.signal })
}

/** What a run says, whichever way it came about. */
const said = ({ verdict, metrics, prompts, fingerprint, cases }: EvalReport) => {
  const { duration_ms: _, ...rest } = metrics
  return {
    ...{ verdict, metrics: rest, prompts, fingerprint },
    cases: cases.map(({ case: { id }, trial, status, scores, costUsd }) => ({
      ...{ id, trial, status, costUsd },
      scores: scores.map(({ name, score, reason }) => ({ name, score, reason })),
    })),
  }
}

const loggedScores = async (deps: EvalDeps, { run: { id } }: EvalReport) =>
  readScores(deps.tracking, await deps.tracking.getRun(id))

describe('a run that broke off', () => {
  it.each(['once', 'twice'])('is gone on with: no case twice, none lost (%s)', async (suite) => {
    const whole = await run(suite, world({ journals: undefined }))
    await rm(asked)
    const trials = suite === 'twice' ? 2 : 1
    for (const at of [1, 7, COUNT]) {
      await rm(asked, { force: true })
      const broken = await run(suite, stopping(at))
      expect(broken).toMatchObject({ verdict: 'invalid', reasons: ['interrupted'] })
      const deps = world()
      const report = await run(suite, deps, { resume: true })
      expect(said(report)).toEqual(said(whole))
      expect(await loggedScores(deps, report)).toEqual(await loggedScores(deps, whole))
      // What was cut short by the stop is asked again; nothing that was answered is.
      const times = await readAsked()
      const twice = times.filter((one, place) => times.indexOf(one) !== place)
      expect(new Set(times).size).toBe(COUNT * trials)
      expect(twice.length).toBeLessThanOrEqual(2)
      const old = await deps.tracking.getRun(broken.run.id)
      expect(old).toMatchObject({
        status: 'KILLED',
        tags: { 'promptkeep.invalid': `broke off; gone on with as run ${report.run.id}` },
      })
    }
  })

  it('may have ended in the middle of a line', async () => {
    await run('once', stopping(9))
    const deps = world()
    const [name = ''] = (await readdir(deps.journals as string)).filter((one) => one.endsWith('.jsonl'))
    const path = join(deps.journals as string, name)
    const text = await readFile(path, 'utf8')
    await truncate(path, Buffer.byteLength(text) - 40)
    const report = await run('once', deps, { resume: true })
    expect(report).toMatchObject({ verdict: 'passed', metrics: { total: COUNT, errors: 0 } })
  })

  it('that ended is told again, and nothing is asked or logged', async () => {
    const deps = world()
    const first = await run('once', deps)
    await rm(asked)
    const again = await run('once', deps, { resume: true })
    expect({ ...said(again), run: again.run.id }).toEqual({ ...said(first), run: first.run.id })
    await expect(readAsked()).rejects.toThrow('ENOENT')
  })

  it.each([
    {
      rule: 'whose prompt has changed since',
      change: () => registry.setAlias('base', 'production', 2),
      back: () => registry.setAlias('base', 'production', 1),
      why: /cannot be gone on with: what has alias production was base v1 and is base v2\. Run it anew, without --resume/,
    },
    {
      rule: 'whose prompt was changed and changed back',
      change: async () => {
        await registry.setAlias('base', 'production', 2)
        await registry.setAlias('base', 'production', 1)
      },
      back: async () => {},
      why: /base changed during the run: production moved from v1 to v2/,
    },
    {
      rule: 'whose suite is another now',
      change: () => appendFile(join(folder, 'once.yaml'), '\n# another'),
      back: async () => {
        const text = await readFile(join(folder, 'once.yaml'), 'utf8')
        await writeFile(join(folder, 'once.yaml'), text.replace('\n# another', ''))
      },
      why: /the suite was [0-9a-f]{64} and is [0-9a-f]{64}/,
    },
  ])('$rule is not gone on with', async ({ change, back, why }) => {
    if ((await registry.find('base')).latestVersion === 1)
      await registry.register({ name: 'base', template: 'Better' })
    await run('once', stopping(5))
    await change()
    try {
      await expect(run('once', world(), { resume: true })).rejects.toThrow(why)
    } finally {
      await back()
    }
  })

  it('whose journal is damaged is refused by its name', async () => {
    await run('once', stopping(5))
    const deps = world()
    const [name = ''] = (await readdir(deps.journals as string)).filter((one) => one.endsWith('.jsonl'))
    await appendFile(join(deps.journals as string, name), 'rubbish\n')
    await expect(run('once', deps, { resume: true })).rejects.toThrow(
      /once\..*\.jsonl is no journal of an eval run: line \d+ is not JSON/,
    )
  })
})

describe('shards', () => {
  it.each([1, 2, 3, 5])('%i of them, merged, are the whole', async (of) => {
    const whole = await run('twice', world({ journals: undefined }))
    await rm(asked)
    const deps = world()
    for (let index = of; index >= 1; index--) {
      const part = await run('twice', deps, { shard: parseShard(`${index}/${of}`) })
      if (of === 1) return expect(said(part)).toEqual(said(whole))
      expect(part).toMatchObject({ verdict: 'shard', shard: `${index}/${of}`, reasons: [] })
      const { tags } = await deps.tracking.getRun(part.run.id)
      expect(tags).toMatchObject({
        'promptkeep.shard': `${index}/${of}`,
        'promptkeep.invalid': `this is shard ${index}/${of}: merged with the others it is a run`,
      })
    }
    const loaded = await loadSuite({ suite: join(folder, 'twice.yaml') }, { fetch })
    const merged = await mergeShards(loaded, await journalsIn(deps), deps)
    expect(said(merged)).toEqual(said(whole))
    expect(await loggedScores(deps, merged)).toEqual(await loggedScores(deps, whole))
    expect((await readAsked()).length).toBe(COUNT * 2)
    const { tags, status } = await deps.tracking.getRun(merged.run.id)
    expect(status).toBe('FINISHED')
    expect(tags).not.toHaveProperty('promptkeep.invalid')
  })

  it('are refused when one is missing, twice, of another division, or did not end', async () => {
    const deps = world()
    const loaded = await loadSuite({ suite: join(folder, 'once.yaml') }, { fetch })
    const merge = async (...paths: string[]) => mergeShards(loaded, paths, deps)
    await expect(merge()).rejects.toThrow('there are no shards of once among these files')
    await run('once', deps, { shard: parseShard('1/2') })
    const [first = ''] = await journalsIn(deps)
    await expect(merge(first)).rejects.toThrow('shard 2/2 of once is missing')
    await run('once', deps, { shard: parseShard('2/2') })
    const second = (await journalsIn(deps)).find((path) => path !== first) as string
    await expect(merge(first, second, first)).rejects.toThrow('shard 1/2 of once is there twice')
    await run('once', deps, { shard: parseShard('3/3') })
    const third = (await journalsIn(deps)).find((path) => path.includes('3-of-3')) as string
    await expect(merge(first, second, third)).rejects.toThrow('is shard 3/3, and others are of 2')
    await run('once', stopping(3), { shard: parseShard('2/2') })
    const broken = (await journalsIn(deps)).find((path) => path.includes('2-of-2') && path !== second)
    await expect(merge(first, broken as string)).rejects.toThrow(
      'shard 2/2 of once did not end: go on with it by --shard 2/2 --resume',
    )
  })

  it('are no evidence when a prompt changed between the first and the merger', async () => {
    const deps = world()
    await run('once', deps, { shard: parseShard('1/2') })
    if ((await registry.find('base')).latestVersion === 1)
      await registry.register({ name: 'base', template: 'Better' })
    await registry.setAlias('base', 'production', 2)
    await registry.setAlias('base', 'production', 1)
    await run('once', deps, { shard: parseShard('2/2') })
    const loaded = await loadSuite({ suite: join(folder, 'once.yaml') }, { fetch })
    const merged = await mergeShards(loaded, await journalsIn(deps), deps)
    expect(merged.verdict).toBe('invalid')
    expect(merged.reasons[0]).toMatch(/^base changed during the run/)
  })

  const journalsIn = async ({ journals = '' }: EvalDeps) =>
    (await readdir(journals)).filter((name) => name.endsWith('.jsonl')).map((name) => join(journals, name))
})

describe('answers of earlier runs', () => {
  /** A git that knows the code by this name. */
  const at =
    (commit: string): EvalDeps['git'] =>
    async (args) => {
      if (args[0] === 'rev-parse') return args[1] === 'HEAD' ? `${commit}\n` : folder
      return ''
    }
  const caching = (git: EvalDeps['git'], more: Partial<EvalDeps> = {}) =>
    world({ git, responses: join(folder, `answers-${count}`), ...more })

  it('are used for the same prompts, code and cases, and said to be', async () => {
    const first = await run('once', caching(at('one')))
    expect((await readAsked()).length).toBe(COUNT)
    const second = await run('once', caching(at('one')))
    expect((await readAsked()).length).toBe(COUNT)
    expect(second).toMatchObject({ verdict: 'passed', metrics: { cached: COUNT, cost_usd: 0 } })
    expect(second.notes.join()).toContain(`${COUNT} of ${COUNT} answers are of an earlier run`)
    expect(second.cases.map(({ status }) => status)).toEqual(first.cases.map(({ status }) => status))
    expect(second.prompts).toEqual(first.prompts)
  })

  it.each([
    { rule: 'other code', change: async () => at('two') },
    {
      rule: 'another version of a prompt',
      change: async () => {
        await registry.setAlias('base', 'production', 2)
        return at('one')
      },
    },
    { rule: 'no word about the code', change: async () => async () => undefined },
  ])('are not used for $rule', async ({ change }) => {
    await run('once', caching(at('one')))
    try {
      const report = await run('once', caching(await change()))
      expect(report.metrics.cached).toBeUndefined()
      expect((await readAsked()).length).toBe(2 * COUNT)
    } finally {
      await registry.setAlias('base', 'production', 1)
    }
  })

  it('are not used after a day, nor with several trials unless they are asked for', async () => {
    await run('once', caching(at('one')))
    const later = caching(at('one'), { now: () => Date.now() + 25 * 3_600_000 })
    expect((await run('once', later)).metrics.cached).toBeUndefined()
    await run('twice', caching(at('one')), { cache: true })
    expect((await run('twice', caching(at('one')))).metrics.cached).toBeUndefined()
    const asked = await run('twice', caching(at('one')), { cache: true })
    expect(asked.metrics.cached).toBe(2 * COUNT)
  })

  it('are not kept when they are wanted anew', async () => {
    await run('once', caching(at('one')), { cache: false })
    expect((await run('once', caching(at('one')))).metrics.cached).toBeUndefined()
  })
})
