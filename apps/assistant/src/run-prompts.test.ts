import { createRegistry } from '@promptkeep/client'
import { fingerprintOf } from '@promptkeep/client/protocol'
import { createMemoryTransport } from '@promptkeep/client/testing'
import { expect, it, onTestFinished } from 'vitest'
import { PROMPT_DEFAULTS } from './prompt-defaults.ts'
import { PROMPT_NAMES } from './prompt-map.ts'
import { createRunPrompts } from './run-prompts.ts'

async function seeded() {
  const transport = createMemoryTransport()
  const registry = createRegistry({ transport, defaults: PROMPT_DEFAULTS, cacheTtlSeconds: 0, env: {} })
  onTestFinished(() => registry.close())
  await registry.seed()
  return { transport, run: createRunPrompts(await registry.loadSet(PROMPT_NAMES)) }
}

it('holds all eleven, and counts none as used until it is said', async () => {
  const { run } = await seeded()
  expect(PROMPT_NAMES.map((name) => run.get(name).version)).toEqual(Array(11).fill(1))
  expect(run.used()).toEqual({})
})

it('lists used prompts once, in a fixed order, whichever was used first', async () => {
  const { run } = await seeded()
  run.markUsed(['memory', 'memory-write'])
  run.markUsed(['orchestrator-base'])
  run.markUsed(['memory'])
  expect(Object.keys(run.used())).toEqual(['orchestrator-base', 'memory', 'memory-write'])
})

it('has a fingerprint that can be checked from what is stored with it', async () => {
  const { run } = await seeded()
  run.markUsed(['memory', 'orchestrator-base'])
  const { prompts, fingerprint } = await run.lineage()
  const stored = Object.entries(prompts).map(([name, { version, digest }]) => ({ name, version, digest }))
  expect(fingerprint).toBe(await fingerprintOf(stored.reverse()))
})

it('stays as it was resolved when an alias moves meanwhile', async () => {
  const { run, transport } = await seeded()
  const { version } = await transport.register({ name: 'memory', template: 'Another text.' })
  await transport.moveAlias({ name: 'memory', alias: 'production', to: version })
  expect(run.get('memory')).toMatchObject({ version: 1, template: PROMPT_DEFAULTS.memory.template })
})
