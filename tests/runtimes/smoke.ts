import { createRegistry } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'

export interface Places {
  /** A registry server. */
  readonly trackingUri: string
  /** Answers a request when that server has gone. */
  readonly end: string
}

/**
 * What an app does with a registry in its life, the end of the server included: the same on every runtime. Each line of
 * the answer is a name and what was seen.
 */
export async function smoke({ trackingUri, end }: Places) {
  const name = `p-${crypto.randomUUID()}`
  const env = {}
  const registry = createRegistry({
    trackingUri,
    env,
    defaults: { [name]: 'Hello {{ who }}.', other: 'Bundled.' },
  })
  const { seeded } = await registry.seed()
  const cold = await registry.load(name)
  const cached = await registry.load(name)
  const set = await registry.loadSet([name, 'other'])
  const { scope, server } = await registry.capabilities()

  // Calls after an `await`, which know their run only where the platform carries it along.
  const lineage = await registry.run(async (run) => {
    await new Promise((resolve) => setTimeout(resolve, 1))
    await (scope ? registry : run).load(name)
    return (scope ? registry.lineage() : run.lineage())?.[name]?.version
  })

  const followed: string[] = []
  const following = await registry.follow({ onChange: ({ kind }) => followed.push(kind) })
  await following.ready
  const other = createRegistry({ trackingUri, env }) // another process, as far as the first can tell
  const { version } = await other.register({ name, template: 'Bye {{ who }}.', commitMessage: 'é 漢 👍🏽' })
  const { from, to } = await other.setAlias(name, 'production', version, { expected: 1, reason: 'smoke' })
  let swapped = await registry.load(name)
  for (let tries = 0; swapped.version !== version && tries < 500; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    swapped = await registry.load(name)
  }
  const live = { state: following.state, followed, source: swapped.source }
  following.stop()
  await other.close()
  const { actor } = await createAdmin({ trackingUri, env }).whoami()

  await fetch(end, { method: 'POST' }).then((answer) => answer.arrayBuffer())
  const stale = await registry.load(name, { maxAgeMs: 0 })
  const bundled = await registry.load('other', { alias: 'experiment' })
  const nobody = await registry.load('nobody').catch((error: { code?: string }) => error.code)
  await registry.close()
  const closed = await registry.load(name).catch((error: { code?: string }) => error.code)

  return {
    seeded: seeded.length,
    cold: [cold.source, cold.version, cold.format({ who: 'Ada' })],
    cached: [cached.source, cached.digest === cold.digest],
    set: [set.get('other').format(), set.fingerprint.length],
    server,
    scope,
    lineage,
    move: [from, to],
    live,
    swapped: [swapped.version, swapped.format({ who: 'Ada' })],
    actor,
    stale: [stale.source, stale.version],
    bundled: [bundled.source, bundled.isFallback],
    nobody,
    closed,
  }
}

export type Smoke = Awaited<ReturnType<typeof smoke>>
