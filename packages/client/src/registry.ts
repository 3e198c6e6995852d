import { createBreaker } from './breaker.ts'
import { forMany } from './deadline.ts'
import { RegistryError } from './errors.ts'
import type { FollowState } from './follow-api.ts'
import { createLoader } from './loader.ts'
import { createLoads } from './loads.ts'
import { createMlflowTransport } from './mlflow.ts'
import type { RegistryOptions } from './options.ts'
import type { Registry } from './registry-api.ts'
import type { Calls } from './registry-calls.ts'
import { createReporter } from './reporter.ts'
import { DEFAULT_TRACKING_URI, readSettings } from './settings.ts'
import type { LastGood } from './snapshot-keeper.ts'
import type { SnapshotStore } from './snapshot-port.ts'
import { createTimers } from './timers.ts'
import type { AnyPrompts, PromptCatalog } from './typed.ts'

/**
 * What loads need is here; what an app needs now and then (writing, seeding, following, runs, snapshots) is imported when
 * it is first called.
 * @throws {InvalidInput} for a bad option, before any request
 */
export function createRegistry<P extends PromptCatalog = AnyPrompts>(options?: RegistryOptions): Registry<P>
export function createRegistry(options: RegistryOptions = {}): Registry {
  const settings = readSettings(options)
  const { chain, logger, now, env } = settings
  const random = Math.random
  const transport = options.transport ?? createMlflowTransport({ trackingUri: settings.trackingUri, env })
  const controller = new AbortController()
  const closing = forMany(controller.signal)
  const timers = createTimers()
  const breaker = createBreaker(now)
  const reporter = createReporter({ logger, now })
  // Whatever was asked: an answer ends an outage for the loads, too.
  const answered = (name?: string) => reporter.answered(name, breaker.answered())
  const lastGood =
    settings.snapshot === undefined || settings.strict ? undefined : keepSnapshot(settings.snapshot)
  const shared = { transport, now, random, timers, closing, onAnswer: answered, onTrouble: reporter.trouble }
  const loader = createLoader({ ...shared, ...settings, breaker, lastGood })
  const loads = createLoads({ settings, loader, reporter, closing })
  let calls: Promise<Calls> | undefined
  let drifted: () => readonly string[] = () => []
  let live: () => FollowState | undefined = () => undefined

  function keepSnapshot(store: SnapshotStore): LastGood {
    const keeper = import('./snapshot-keeper.ts').then(({ createSnapshotKeeper }) =>
      createSnapshotKeeper({
        store,
        address: transport.address,
        workspace: env.MLFLOW_WORKSPACE ?? '',
        admit: loader.inside.admit,
        timers,
        logger,
        now,
      }),
    )
    return {
      find: async (keys) => (await keeper).find(keys),
      heard: (key, version) => void keeper.then((it) => it.heard(key, version)),
      flush: async () => (await keeper).flush(),
    }
  }

  async function importCalls(): Promise<Calls> {
    const { createCalls } = await import('./registry-calls.ts')
    // `latest` cannot be pointed anywhere.
    const alias = chain.findLast((one) => one !== 'latest') ?? 'production'
    const command = (direction: 'push' | 'pull') =>
      commandFor(direction, settings.promptsFolder, alias, transport.address)
    const made = createCalls({ ...shared, settings, loader, alias, command, logger })
    drifted = () => made.drifted
    return made
  }

  const lazily =
    <Name extends keyof Calls & keyof Registry>(name: Name) =>
    async (...given: never[]) => {
      closing.throwIfAborted()
      calls ??= importCalls()
      return ((await calls)[name] as (...all: never[]) => unknown)(...given)
    }

  return {
    load: loads.load,
    loadSet: loads.loadSet,
    run: loads.run,
    lineage: loads.lineage,
    async follow(given = {}) {
      closing.throwIfAborted()
      const { startFollowing } = await import('./follow.ts')
      const { createLiveCache } = await import('./live-cache.ts')
      const following = startFollowing({
        ...shared,
        settings,
        cache: createLiveCache(loader.inside),
        options: given,
      })
      live = () => following.state
      return following
    },
    register: lazily('register'),
    setAlias: lazily('setAlias'),
    seed: lazily('seed'),
    capabilities: lazily('capabilities'),
    find: lazily('find'),
    list: lazily('list'),
    versions: lazily('versions'),
    changes: lazily('changes'),
    status() {
      const state = live()
      return { ...reporter.status(), drifted: drifted(), ...(state && { live: state }) }
    },
    async close() {
      controller.abort(new RegistryError('UNAVAILABLE', 'this registry was closed'))
      loads.end()
      timers.clear()
      await lastGood?.flush()
    },
  } as Registry
}

function commandFor(direction: 'push' | 'pull', folder: string, alias: string, address: string): string {
  const where = address === DEFAULT_TRACKING_URI ? '' : ` --tracking-uri ${address}`
  return `npx promptkeep ${direction} ${folder}${direction === 'push' ? ` --alias ${alias}` : ''}${where}`
}
