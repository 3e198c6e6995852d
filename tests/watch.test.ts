import { createRegistry, type Registry } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'
import {
  createPromoteDeps,
  EvalFailure,
  loadCoreSuites,
  type TrackedRun,
  type WatchDeps,
  type WatchEvent,
  type WatchOptions,
  watch,
} from '@promptkeep/evals'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { startFailingProxy } from './support/failing-proxy.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import {
  cases,
  createPromotionFolder,
  knowing,
  openRegistry,
  type PromotionFolder,
  promptkeep,
  TOPICS,
} from './support/promotion.ts'
import { startTokenRegistry } from './support/token-registry.ts'

interface World {
  readonly url: string
  readonly tokens: Readonly<Partial<Record<'admin' | 'evaluator' | 'promoter', string>>>
  stop(): Promise<void>
}

interface Watching {
  readonly events: readonly WatchEvent[]
  /** The outcomes of what was judged, in their order: `v2 would-promote`. */
  outcomes(): string[]
  /** Ends it. @returns its exit code */
  stop(): Promise<number>
  readonly ended: Promise<number>
}

type Hooks = {
  readonly trackingUri?: string
  /** After a run was started, before its first case. */
  readonly onRun?: (run: TrackedRun, stop: AbortController) => Promise<void>
  readonly follow?: (admin: WatchDeps['admin']) => WatchDeps['admin']['follow']
} & Partial<WatchOptions>

const DEADLINE = { timeout: 20_000, interval: 20 }

function watching(where: string, start: () => Promise<World>, skip: string | false = false): void {
  describe.skipIf(skip)(`watch on ${where} ${skip || ''}`, { timeout: 30_000 }, () => {
    let world: World
    let admin: Registry
    let folder: PromotionFolder
    let prompt = ''
    let count = 0
    const open: Watching[] = []

    beforeAll(async () => {
      world = await start()
      admin = openRegistry(world.url, world.tokens.admin)
    }, 120_000)
    afterAll(async () => {
      await admin?.close()
      await world?.stop()
    })
    beforeEach(async () => {
      folder = await createPromotionFolder()
      prompt = `watched-${++count}`
      await folder.suite(`tone-${count}`, cases(60, [prompt]))
    })
    afterEach(async () => {
      for (const one of open.splice(0)) await one.stop()
      // What the next test watches is its own: who is in production is no candidate.
      const { items } = await admin.list({ limit: 1000 })
      for (const { name, aliases } of items)
        if (aliases.experiment !== undefined) await admin.setAlias(name, 'production', aliases.experiment)
      await folder.remove()
    })

    const env = () => ({
      MLFLOW_TRACKING_URI: world.url,
      ...(world.tokens.evaluator && { PROMPTKEEP_EVALUATOR_TOKEN: world.tokens.evaluator }),
      ...(world.tokens.promoter && { PROMPTKEEP_PROMOTER_TOKEN: world.tokens.promoter }),
    })

    /** v1 is production; no version is a candidate yet. */
    async function register(...texts: string[]): Promise<void> {
      for (const template of texts) await admin.register({ name: prompt, template })
      await admin.setAlias(prompt, 'production', 1)
    }
    const become = (version: number) => admin.setAlias(prompt, 'experiment', version)
    const production = async () => (await admin.find(prompt)).aliases.production

    async function begin({
      trackingUri = world.url,
      onRun,
      follow,
      ...options
    }: Hooks = {}): Promise<Watching> {
      const stop = new AbortController()
      const deps = createPromoteDeps({ trackingUri, env: env(), signal: stop.signal })
      const suites = await loadCoreSuites({ folder: 'evals', cwd: folder.cwd }, { fetch })
      const events: WatchEvent[] = []
      const { tracking } = deps.evals
      const startRun: typeof tracking.startRun = async (run) => {
        const started = await tracking.startRun(run)
        if (run.tags.suite !== undefined) await onRun?.(started, stop)
        return started
      }
      const ended: Promise<number> = watch(
        {
          suites,
          intervalMs: 100,
          debounceMs: 20,
          claimMs: 200,
          ...options,
          signal: stop.signal,
          onEvent: (event) => events.push(event),
        },
        {
          ...deps,
          admin: { ...deps.admin, ...(follow && { follow: follow(deps.admin) }) },
          evals: { ...deps.evals, tracking: { ...tracking, startRun } },
        },
      ).finally(() => deps.close())
      const one: Watching = {
        events,
        ended,
        outcomes: () =>
          events.flatMap((event) =>
            event.kind === 'judged' ? [`v${event.candidate.version} ${event.promotion.outcome}`] : [],
          ),
        stop() {
          stop.abort()
          return ended
        },
      }
      open.push(one)
      return one
    }

    /** Those of this test's suite, the newest first: which version each judged, and what it says. */
    async function runs() {
      const { evals } = createPromoteDeps({ trackingUri: world.url, env: env() })
      const filter = `params.suite = 'tone-${count}'`
      const found = await evals.tracking.findRuns({ experiment: evals.experiment, filter })
      return found.runs.map(({ params, tags, status }) => ({
        version: params[`prompt.${prompt}`],
        status,
        verdict: tags['promptkeep.verdict'],
        invalid: tags['promptkeep.invalid'],
      }))
    }
    const runsOf = async (version: number) => (await runs()).filter((run) => run.version === `v${version}`)

    const judged = (one: Watching, outcomes: string[]) =>
      vi.waitFor(() => expect(one.outcomes()).toEqual(outcomes), DEADLINE)

    it('judges a version that gets the alias, writes the verdict, moves nothing, and is done with it', async () => {
      await register(knowing('one'), knowing('two'), knowing('three', TOPICS.slice(1)))
      const one = await begin()
      await vi.waitFor(() => expect(one.events).toMatchObject([{ kind: 'ready', candidates: 0 }]), DEADLINE)
      await become(2)
      await judged(one, ['v2 would-promote'])
      expect(await runsOf(2)).toMatchObject([{ status: 'FINISHED', verdict: 'pass', invalid: undefined }])
      expect(await production()).toBe(1)
      await become(3)
      await judged(one, ['v2 would-promote', 'v3 refused'])
      expect(await runsOf(3)).toMatchObject([{ verdict: 'fail' }])
      expect(await one.stop()).toBe(0)
      expect(await runs()).toHaveLength(3) // two candidates, one baseline
      const again = await begin()
      await judged(again, ['v3 refused'])
      expect(await again.stop()).toBe(0)
      expect(await runs()).toHaveLength(3)
      expect(await production()).toBe(1)
    })

    it('judges once by two watchers, and both tell what it came to', async () => {
      await register(knowing('one'), knowing('two'))
      const both = [await begin(), await begin()]
      await become(2)
      for (const one of both) await judged(one, ['v2 would-promote'])
      expect(await runs()).toHaveLength(2)
    })

    it('judges what the alias says when it moved while it was judged, or away and back', async () => {
      await register(knowing('one'), knowing('two'), knowing('three'))
      await become(2)
      const back = async () => {
        await become(2)
        await become(3)
      }
      const moves = [() => become(3), back]
      const one = await begin({ onRun: async () => void (await moves.shift()?.()) })
      await judged(one, ['v3 would-promote'])
      const valid = (await runs()).filter(({ invalid }) => invalid === undefined)
      expect(valid.map(({ version }) => version).sort()).toEqual(['v1', 'v3'])
    })

    it('leaves a run that was interrupted marked, and a restart judges anew', async () => {
      await register(knowing('one'), knowing('two'))
      await become(2)
      const one = await begin({ onRun: async (_, stop) => stop.abort() })
      expect(await one.ended).toBe(0)
      expect(one.outcomes()).toEqual([])
      expect(await runs()).toMatchObject([
        { status: 'KILLED', invalid: expect.stringContaining('interrupted') },
      ])
      const again = await begin()
      await judged(again, ['v2 would-promote'])
      expect((await runsOf(2)).filter(({ status }) => status === 'FINISHED')).toHaveLength(1)
    })

    it('tries again what could not be judged, and judges the others meanwhile', async () => {
      const other = `${prompt}-other`
      await folder.suite(`tone-${count}`, cases(60, [prompt]))
      await register(knowing('one'), knowing('two'))
      await become(2)
      let failures = 2
      const one = await begin({
        async onRun() {
          if (failures-- > 0) throw new EvalFailure('INFRASTRUCTURE', 'MLflow went away')
        },
      })
      await judged(one, ['v2 would-promote'])
      expect(one.events.filter(({ kind }) => kind === 'trouble')).toHaveLength(2)
      await admin.register({ name: other, template: 'nobody uses it' })
      await admin.setAlias(other, 'experiment', 1)
      await judged(one, ['v2 would-promote', 'v1 undecided'])
    })

    it('promotes what passes only when it is asked to', async () => {
      await register(knowing('one'), knowing('two'), knowing('three', TOPICS.slice(1)))
      const one = await begin({ promote: true })
      await become(2)
      await judged(one, ['v2 promoted'])
      expect(await production()).toBe(2)
      await become(3)
      await judged(one, ['v2 promoted', 'v3 refused'])
      expect(await production()).toBe(2)
    })

    it('waits for a registry that does not answer at the start, and says so', async () => {
      await register(knowing('one'), knowing('two'))
      await become(2)
      const proxy = await startFailingProxy(world.url)
      try {
        proxy.failFrom(0)
        const one = await begin({ trackingUri: proxy.url })
        await vi.waitFor(() => expect(one.events[0]).toMatchObject({ kind: 'trouble' }), DEADLINE)
        proxy.failFrom(Number.POSITIVE_INFINITY)
        await judged(one, ['v2 would-promote'])
        await one.stop()
      } finally {
        await proxy.stop()
      }
    })

    describe('promptkeep watch', () => {
      const run = (...flags: string[]) => promptkeep(folder.cwd, env(), ['watch', ...flags])

      it('ends after what waits (--once) with its exit code', async () => {
        await register(knowing('one'), knowing('two'), knowing('three', TOPICS.slice(1)))
        expect(await run('--once')).toMatchObject({ code: 0, out: '' })
        await become(2)
        expect(await run('--once')).toMatchObject({
          code: 0,
          out: expect.stringContaining(`${prompt} v2: passed`),
        })
        await become(3)
        expect(await run('--once')).toMatchObject({
          code: 1,
          out: expect.stringMatching(/v3: failed; .*, run [0-9a-f]{32}/),
        })
        await folder.suite(`tone-${count}`, cases(12, [prompt]))
        await become(2)
        expect(await run('--once')).toMatchObject({
          code: 2,
          out: expect.stringContaining('v2: inconclusive'),
        })
        const down = await run('--once', '--tracking-uri', 'http://127.0.0.1:1')
        expect(down).toMatchObject({ code: 2, err: expect.stringContaining('WARN') })
      })

      it('begins with nothing that is wrong', async () => {
        expect(await run('--alias', 'production')).toMatchObject({
          code: 2,
          err: expect.stringContaining('--to'),
        })
        expect(await run('--interval', '0')).toMatchObject({
          code: 2,
          err: expect.stringContaining('--interval'),
        })
        await folder.suite('broken', [], { threshold: 2 })
        expect(await run()).toMatchObject({ code: 2, out: '', err: expect.stringContaining('broken.yaml:1') })
      })
    })

    if (skip === false && where === 'our server')
      it('hears of what moved while the stream was cut', async () => {
        await register(knowing('one'), knowing('two'))
        let streams = 0
        const cut = new AbortController()
        const one = await begin({
          intervalMs: 3_600_000,
          follow: (real) =>
            async function* ({ signal, ...rest }) {
              const isFirst = streams++ === 0
              yield* real.follow({
                ...rest,
                signal: isFirst ? AbortSignal.any([signal, cut.signal]) : signal,
              })
              if (isFirst) await become(2)
            },
        })
        await vi.waitFor(() => expect(one.events).toMatchObject([{ kind: 'ready', live: true }]), DEADLINE)
        cut.abort()
        await judged(one, ['v2 would-promote'])
        expect(streams).toBe(2)
      })
  })
}

watching('our server', startTokenRegistry)
watching('stock MLflow', async () => ({ ...(await startMlflow()), tokens: {} }), mlflowSkip)

describe('watch with too few rights', () => {
  it('says what is missing, and never that something passed', async () => {
    const server = await startTokenRegistry()
    const folder = await createPromotionFolder()
    const admin = createRegistry({
      trackingUri: server.url,
      env: { MLFLOW_TRACKING_TOKEN: server.tokens.admin },
      strict: true,
    })
    try {
      await folder.suite('tone', cases(60, ['watched']))
      for (const text of ['one', 'two']) await admin.register({ name: 'watched', template: knowing(text) })
      await admin.setAlias('watched', 'production', 1)
      await admin.setAlias('watched', 'experiment', 2)
      const env = { MLFLOW_TRACKING_URI: server.url, MLFLOW_TRACKING_TOKEN: server.tokens.promoter }
      const { code, out, err } = await promptkeep(folder.cwd, env, ['watch', '--once', '--promote'])
      expect({ code, out }).toMatchObject({ code: 2, out: expect.not.stringContaining('passed') })
      expect(err).toMatch(/evaluat/)
      const reader = createAdmin({ trackingUri: server.url, env })
      const { items } = await reader.changes({ prompt: 'watched', alias: 'production' })
      expect(items).toMatchObject([{ to: 1 }])
    } finally {
      await admin.close()
      await folder.remove()
      await server.stop()
    }
  })
})
