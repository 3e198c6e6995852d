import { createMlflowTransport, RegistryError, type Transport } from '@promptkeep/client'
import { digestOf } from '@promptkeep/client/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeTransport } from '../packages/client/src/conformance.ts'
import { TAG } from '../packages/client/src/wire-keys.ts'
import {
  type Mlflow,
  mlflowSkip,
  oldestMlflowPython,
  oldestMlflowSkip,
  startMlflow,
} from './support/mlflow.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

/** Our server without its own routes is a stock MLflow. */
const withoutOurRoutes: typeof fetch = async (input, init) =>
  String(input).includes('/api/promptkeep/') ? new Response('', { status: 404 }) : fetch(input, init)

const at = (trackingUri: string, options: { fetch?: typeof fetch } = {}) =>
  createMlflowTransport({ trackingUri, env: {}, ...options })

describe('against our server', () => {
  let server: TestRegistry
  beforeAll(async () => {
    server = await startRegistry()
  })
  afterAll(() => server.stop())
  const stock = () => at(server.url, { fetch: withoutOurRoutes })
  describeTransport('our server', async () => ({ transport: at(server.url) }))
  describeTransport("MLflow's routes of our server", async () => ({ transport: stock() }))
  describeStock("MLflow's routes of our server", stock)

  it.each([undefined, 1])('a move whose answer was lost is made once (expected: %s)', async (expected) => {
    const prompt = `m-${crypto.randomUUID()}`
    const direct = at(server.url)
    for (const template of ['one', 'two']) await direct.register({ name: prompt, template })
    await direct.moveAlias({ name: prompt, alias: 'production', to: 1 })
    let lost = 0
    const transport = at(server.url, {
      fetch: async (input, init) => {
        const answer = await fetch(input, init)
        if (!String(input).endsWith('/alias') || lost++ > 0) return answer
        throw new TypeError('the connection was reset') // the server has moved it, and nobody heard
      },
    })
    const change = await transport.moveAlias({ name: prompt, alias: 'production', to: 2, expected })
    expect(change).toMatchObject({ from: 1, to: 2 })
    expect(lost).toBe(2)
    const moves = (await direct.changes(prompt)).items.filter(({ kind }) => kind === 'alias.moved')
    expect(moves.map(({ from, to }) => [from, to])).toEqual([
      [1, 2],
      [undefined, 1],
    ])
    expect(moves[0]?.seq).toBe(change.seq)
  })
})

describe.each([
  { name: 'MLflow 3.17', skip: mlflowSkip, python: undefined },
  { name: 'MLflow 3.10', skip: oldestMlflowSkip, python: oldestMlflowPython },
])('against an untouched $name', ({ name, skip, python }) => {
  let mlflow: Mlflow | undefined
  beforeAll(async () => {
    if (skip === '') mlflow = await startMlflow({ ...(python && { python }) })
  })
  afterAll(() => mlflow?.stop())
  const open = () => at(mlflow?.url ?? '')
  describeTransport(name, async () => ({ transport: open() }), skip)
  describeStock(name, open, skip)
})

/** What is made up for on a server without transactions. */
function describeStock(name: string, open: () => Transport, skip = '') {
  describe.skipIf(skip !== '')(`without our routes: ${name} ${skip}`, () => {
    const seeded = { [TAG.seeded]: 'true' }
    const start = () => ({ transport: open(), prompt: `s-${crypto.randomUUID()}` })

    it('finishes a prompt that was seeded and got no alias', async () => {
      const { transport, prompt } = start()
      await transport.register({ name: prompt, template: 'x', tags: seeded })
      const current = { version: 1, digest: await digestOf({ template: 'x' }) }
      const draft = { name: prompt, alias: 'production', template: 'x' }
      expect(await transport.seed(draft)).toEqual({ outcome: 'healed', current })
      expect(await transport.seed(draft)).toEqual({ outcome: 'skipped', current })
      expect((await transport.find(prompt)).aliases).toEqual({ production: 1 })
    })

    it('of several that finish a prompt without a version, one version is left', async () => {
      const { transport, prompt } = start()
      await makeEmpty(transport, prompt)
      const draft = { name: prompt, alias: 'production', template: 'x' }
      const results = await Promise.all([1, 2, 3].map(() => transport.seed(draft)))
      expect(results.map(({ outcome }) => outcome)).toContain('healed')
      const { items } = await transport.versions(prompt)
      expect(items.map(({ template }) => template)).toEqual(['x'])
      expect((await transport.findByAlias(prompt, 'production')).version).toBe(items[0]?.version)
    })

    it.each([
      { what: 'another text', template: 'y', tags: seeded },
      { what: 'no mark of a seeding', template: 'x', tags: {} },
    ])('leaves a version with $what alone', async ({ template, tags }) => {
      const { transport, prompt } = start()
      await transport.register({ name: prompt, template, tags })
      expect(await transport.seed({ name: prompt, alias: 'a', template: 'x' })).toEqual({
        outcome: 'skipped',
      })
      expect((await transport.find(prompt)).aliases).toEqual({})
    })

    it('leaves a prompt alone that ever had an alias', async () => {
      const { transport, prompt } = start()
      await transport.register({ name: prompt, template: 'x', tags: seeded })
      await transport.moveAlias({ name: prompt, alias: 'other', to: 1 })
      expect(await transport.seed({ name: prompt, alias: 'a', template: 'x' })).toEqual({
        outcome: 'skipped',
      })
    })

    it('keeps the last move with a reason of any length and alphabet', async () => {
      const { transport, prompt } = start()
      await transport.register({ name: prompt, template: 'x' })
      const reason = '👍"\\\n'.repeat(1_250)
      await transport.moveAlias({ name: prompt, alias: 'a', to: 1, reason })
      await transport.moveAlias({ name: prompt, alias: 'b', to: 1 })
      const { items } = await transport.changes(prompt)
      const kept = items.find(({ alias }) => alias === 'a')?.reason ?? ''
      expect(kept.length).toBeGreaterThan(1_000)
      expect(reason.startsWith(kept)).toBe(true)
      expect(items.map(({ alias }) => alias).sort()).toEqual(['a', 'b'])
    })
  })
}

/** A seeding that broke off after its first step: the second is answered by a server that is going down. */
async function makeEmpty(transport: Transport, name: string): Promise<void> {
  const breaking: typeof fetch = async (input, init) =>
    String(input).includes('model-versions/create')
      ? new Response('', { status: 501 })
      : withoutOurRoutes(input, init)
  const seeding = at(transport.address, { fetch: breaking }).seed({
    name,
    alias: 'production',
    template: 'x',
  })
  await expect(seeding).rejects.toBeInstanceOf(RegistryError)
  expect((await transport.find(name)).latestVersion).toBeUndefined()
}
