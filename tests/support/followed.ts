import { setTimeout as sleep } from 'node:timers/promises'
import { createRegistry, type Registry, type RegistryOptions } from '@promptkeep/client'
import { expect, onTestFinished } from 'vitest'

/** A registry of this test, with a TTL that no test lives to see: what changes was heard. */
export function openRegistry(trackingUri: string, options: RegistryOptions = {}): Registry {
  const registry = createRegistry({ trackingUri, env: {}, cacheTtlSeconds: 3600, ...options })
  onTestFinished(() => registry.close())
  return registry
}

export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await isSo())) {
    if (Date.now() > deadline) expect.unreachable(`it never came about that ${what}`)
    await sleep(5)
  }
}

/** Versions 1 (`one`) and 2 (`two`) of a new prompt, production at the first. */
export async function publishTwo(writer: Registry): Promise<string> {
  const name = `p-${crypto.randomUUID().slice(0, 8)}`
  await writer.register({ name, template: 'one' })
  await writer.register({ name, template: 'two' })
  await writer.setAlias(name, 'production', 1)
  return name
}
