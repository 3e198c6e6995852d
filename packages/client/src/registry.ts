import { createBreaker } from './breaker.ts'
import { forMany } from './deadline.ts'
import { InvalidInput, RegistryError } from './errors.ts'
import type { FollowState } from './follow-api.ts'
import { lazy, methodsOf } from './lazy.ts'
import { createLoader } from './loader.ts'
import { createLoads } from './loads.ts'
import { createMlflowTransport } from './mlflow.ts'
import type { RegistryOptions } from './options.ts'
import type { Registry } from './registry-api.ts'
import { createReporter } from './reporter.ts'
import { readSettings } from './settings.ts'
import type { LastGood } from './snapshot-keeper.ts'
import type { SnapshotStore } from './snapshot-port.ts'
import { createTimers } from './timers.ts'
import type { AnyPrompts, PromptCatalog } from './typed.ts'

/**
 * What loads need is here; what an app needs now and then (writing, seeding, following, runs, snapshots) is imported when
 * it is first called.
 * @throws {InvalidInput} for a bad option, before any request
 */
export function createRegistry<P extends PromptCatalog = AnyPrompts>(
  options?: RegistryOptions<NoInfer<P>>,
): Registry<P>
export function createRegistry(options: RegistryOptions = {}): Registry {
  const settings = readSettings(options)
  const { logger, now, env } = settings
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
  let drifted: () => readonly string[] = () => []
  let followed: Promise<void> | undefined
  let live: () => FollowState | undefined = () => undefined

  function keepSnapshot(store: SnapshotStore): LastGood {
    const keeper = lazy(async () => {
      const { createSnapshotKeeper } = await import('./snapshot-keeper.ts')
      const { address } = transport
      const workspace = env.MLFLOW_WORKSPACE ?? ''
      return createSnapshotKeeper({
        ...shared,
        store,
        address,
        workspace,
        logger,
        admit: loader.inside.admit,
      })
    })
    const { find, flush } = methodsOf(keeper, ['find', 'flush'])
    return { find, flush, heard: (key, version) => void keeper().then((it) => it.heard(key, version)) }
  }

  const calls = lazy(async () => {
    const { createCalls } = await import('./registry-calls.ts')
    const made = createCalls({ ...shared, settings, loader })
    drifted = () => made.drifted
    return made
  })

  return {
    load: loads.load,
    loadSet: loads.loadSet,
    run: loads.run,
    lineage: loads.lineage,
    async follow(given = {}) {
      const { startFollowing } = await import('./follow.ts')
      const { createLiveCache } = await import('./live-cache.ts')
      closing.throwIfAborted()
      const state = live() // here, not before the imports: two calls may have begun together
      if (state !== undefined && state !== 'stopped')
        throw new InvalidInput('this registry is followed already: stop that first')
      const { following, ended } = startFollowing({
        ...shared,
        settings,
        isOwnTransport: options.transport !== undefined,
        cache: createLiveCache(loader.inside),
        options: given,
      })
      live = () => following.state
      followed = ended
      return following
    },
    ...methodsOf(calls, [
      'register',
      'setAlias',
      'seed',
      'capabilities',
      'find',
      'list',
      'versions',
      'changes',
    ]),
    status() {
      const state = live()
      return { ...reporter.status(), drifted: drifted(), ...(state && { live: state }) }
    },
    async close() {
      controller.abort(new RegistryError('UNAVAILABLE', 'this registry was closed'))
      loads.end()
      timers.clear()
      await Promise.all([lastGood?.flush(), followed])
    },
  } as Registry
}
