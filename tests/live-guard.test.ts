import type { Registry } from '@promptkeep/client'
import { type Admin, createAdmin } from '@promptkeep/client/admin'
import {
  createEvalDeps,
  createLiveGuard,
  createLiveMetric,
  type EvalDeps,
  type GuardedArm,
  guardRollout,
  type LiveMetric,
} from '@promptkeep/evals'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { openRegistry, promptkeep } from './support/promotion.ts'
import { startRegistry } from './support/registry.ts'
import { startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

/** Observations lie a moment back: the guard leaves out what is too young to be complete. */
const LATER_MS = 10_000

interface World {
  readonly url: string
  stop(): Promise<void>
}

function guarding(where: string, start: () => Promise<World>, skip: string | false = false): void {
  describe.skipIf(skip)(`promptkeep guard on ${where} ${skip || ''}`, { timeout: 120_000 }, () => {
    let world: World
    let registry: Registry
    let admin: Admin
    let deps: EvalDeps
    let name = ''
    let count = 0

    beforeAll(async () => {
      world = await start()
      registry = openRegistry(world.url)
      admin = createAdmin({ trackingUri: world.url, env: {} })
      deps = createEvalDeps({ registry, trackingUri: world.url, env: {} })
    }, 120_000)
    afterAll(async () => {
      await registry?.close()
      await world?.stop()
    })
    beforeEach(async () => {
      name = `opening-${++count}`
      await registry.register({ name, template: 'Be kind.' })
      await registry.register({ name, template: 'Be brief.' })
      await registry.setAlias(name, 'production', 1)
    })

    const split = () => admin.rollout({ name, weights: { 1: 50, 2: 50 }, reason: 'a look' })
    const metricOf = () => ({ metric: 'thumbs_up', tracking: deps.tracking })
    const open = (): LiveMetric => createLiveMetric({ ...metricOf(), now: Date.now })
    const guard = (...flags: string[]) =>
      promptkeep(
        '/',
        { MLFLOW_TRACKING_URI: world.url },
        ['guard', name, '--metric', 'thumbs_up', '--margin', '0.05', '--once', ...flags],
        { now: () => Date.now() + LATER_MS },
      )
    const armOf = async (...flags: string[]): Promise<GuardedArm> =>
      JSON.parse((await guard(...flags)).out).arms[0]
    const weights = async () => (await registry.load(name)).tags['promptkeep.rollout.production']

    /** Of each version: every `of`th observation is a 1. */
    async function observe(
      metric: LiveMetric,
      number: number,
      of: Readonly<Record<1 | 2, number>>,
    ): Promise<void> {
      for (const version of [1, 2] as const) {
        const { digest } = await registry.load(name, { version })
        for (let i = 0; i < number; i++)
          metric.observe({ name, version, digest }, i % of[version] === 0 ? 1 : 0)
      }
      await metric.flush()
    }

    it('says nothing while there is no rollout', async () => {
      expect(await guard()).toMatchObject({ code: 0, out: '' })
    })

    it('cannot tell without observations', async () => {
      await split()
      expect(await guard()).toMatchObject({
        code: 2,
        err: expect.stringContaining('no observation of thumbs_up for'),
      })
    })

    it('leaves one alone that is as good', async () => {
      await split()
      const metric = open()
      await observe(metric, 300, { 1: 2, 2: 2 })
      expect(await guard()).toMatchObject({
        code: 0,
        out: expect.stringContaining('v2 0.5 (n 300), v1 0.5 (n 300)'),
      })
      expect(await weights()).toBe('{"2":50}')
      await metric.close()
    })

    it('ends it when the new version is worse, says why, and comes to it in two sittings as in one', async () => {
      await registry.load(name) // the rollout begins after the first observations, which do not count
      const before = open()
      await observe(before, 50, { 1: 50, 2: 1 })
      await before.close()
      await new Promise((resolve) => setTimeout(resolve, 20))
      await split()
      const first = open()
      await observe(first, 5, { 1: 1, 2: 5 })
      const early = await guard('--json')
      expect(early.code).toBe(0)
      const looked = JSON.parse(early.out)
      expect(looked).toMatchObject({
        state: 'watching',
        arms: [{ version: 2, pairs: 5, seen: { count: 5 } }],
      })
      // The same again: nothing counts twice.
      expect(JSON.parse((await guard('--json')).out).arms).toEqual(looked.arms)
      await first.close()
      const second = open() // another process
      await observe(second, 55, { 1: 1, 2: 5 })
      await second.close()
      const { code, out } = await guard()
      expect({ code, out }).toMatchObject({ code: 1, out: expect.stringContaining('ROLLED BACK') })
      expect(await weights()).toBeUndefined()
      const { items } = await admin.changes({ prompt: name, alias: 'production', kinds: ['rollout.changed'] })
      expect(items[0]?.reason).toMatch(
        /^live guard: thumbs_up of v2 is 0\.2 \(n 60\), of v1 1 \(n 60\): worse by more than 0\.05 \(stake [\d.]+ of 20 after 60 pairs/,
      )
      expect(await guard()).toMatchObject({ code: 0, out: '' })
    })

    it('takes what comes late as if it had come in time: no pair is made twice, none changes', async () => {
      await split()
      const began = Date.now()
      const at = (offset: number) => createLiveMetric({ ...metricOf(), now: () => began + offset })
      const early = at(1) // this process saw its observations first, and sends them last
      const timely = at(500)
      await observe(timely, 4, { 1: 1, 2: 2 })
      const before = await armOf('--json')
      expect(before).toMatchObject({ pairs: 4, main: { count: 4, mean: 1 } })
      await observe(early, 3, { 1: 1, 2: 1 })
      await observe(timely, 1, { 1: 1, 2: 1 })
      const after = await armOf('--json')
      expect(after).toMatchObject({ pairs: 8, seen: { count: 8 } })
      // Of the four pairs of before two had a loss, and no pair that came later has: each made the stake smaller.
      expect(after.stake).toBeLessThan(before.stake)
      expect(after.stake).toBeCloseTo(stakeOf([0, 1, 0, 1, 0, 0, 0, 0]), 9)
      expect(before.stake).toBeCloseTo(stakeOf([0, 1, 0, 1]), 9)
      for (const one of [early, timely]) await one.close()
      expect((await armOf('--json')).stake).toBe(after.stake)
    })

    it('goes on when shares change, and begins anew when a version leaves', async () => {
      await registry.register({ name, template: 'Be nice.' })
      await admin.rollout({ name, weights: { 1: 60, 2: 20, 3: 20 }, reason: 'two looks' })
      const metric = open()
      await observe(metric, 4, { 1: 2, 2: 2 })
      await admin.rollout({ name, weights: { 1: 20, 2: 40, 3: 40 }, reason: 'more of it' })
      const both = JSON.parse((await guard('--json')).out)
      expect(both.arms).toMatchObject([
        { version: 2, pairs: 4, needed: 40 },
        { version: 3, pairs: 0, needed: 40 },
      ])
      await new Promise((resolve) => setTimeout(resolve, 20))
      await admin.rollout({ name, weights: { 1: 50, 2: 50 }, reason: 'v3 is out' })
      await new Promise((resolve) => setTimeout(resolve, 20))
      await observe(metric, 2, { 1: 2, 2: 2 })
      const one = JSON.parse((await guard('--json')).out)
      expect(one.arms).toMatchObject([{ version: 2, pairs: 2, needed: 20 }])
      await metric.close()
    })

    it('ends with a rollout that somebody ended by hand', async () => {
      await split()
      const stop = new AbortController()
      const looks: string[] = []
      const end = await guardRollout(
        {
          ...{ name, metric: 'thumbs_up', margin: 0.05, intervalMs: 20, signal: stop.signal },
          onLook({ state }) {
            if (looks.push(state) === 1)
              void admin.rollout({ name, weights: { 2: 100 }, reason: 'all of it' })
          },
        },
        { registry, admin, tracking: deps.tracking, now: Date.now },
      )
      expect(end).toMatchObject({ exitCode: 0 })
      expect(looks.every((state) => state === 'watching')).toBe(true)
      expect((await registry.find(name)).aliases.production).toBe(2)
    })

    it('leaves a rollout alone that was changed while it looked', async () => {
      await split()
      const metric = open()
      await observe(metric, 60, { 1: 1, 2: 60 })
      await metric.close()
      const raced = createLiveGuard(
        { name, metric: 'thumbs_up', margin: 0.05 },
        {
          registry,
          tracking: deps.tracking,
          now: () => Date.now() + LATER_MS,
          admin: {
            ...admin,
            async rollout(...args) {
              await registry.setAlias(name, 'production', 2)
              return admin.rollout(...args)
            },
          },
        },
      )
      expect(await raced.look()).toMatchObject({
        state: 'watching',
        notes: [expect.stringContaining('changed meanwhile')],
      })
      expect((await registry.find(name)).aliases.production).toBe(2)
      expect(await raced.look()).toMatchObject({ state: 'no-rollout' })
    })
  })
}

/** What bets on "worse by more than 0.05" come to, by the formula, for what the main version had more. */
function stakeOf(losses: readonly number[]): number {
  const bold = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 0.95]
  const stakes = bold.map((b) => losses.reduce((stake, loss) => stake * (1 + (b / 1.05) * (loss - 0.05)), 1))
  return stakes.reduce((sum, stake) => sum + stake, 0) / bold.length
}

guarding('our server', startRegistry)
guarding('stock MLflow', startMlflow, mlflowSkip)

describe('promptkeep guard', () => {
  let server: TokenRegistry
  beforeAll(async () => {
    server = await startTokenRegistry()
  })
  afterAll(() => server?.stop())

  it('ends a rollout that a policy guards, as a promoter, by bringing back what was before it', async () => {
    const name = 'opening'
    const registry = openRegistry(server.url, server.tokens.admin)
    const env = { MLFLOW_TRACKING_TOKEN: server.tokens.admin }
    const admin = createAdmin({ trackingUri: server.url, env })
    for (const template of ['Be kind.', 'Be brief.']) await registry.register({ name, template })
    await registry.setAlias(name, 'production', 1)
    await admin.policies.set({
      alias: 'production',
      roles: ['promoter'],
      reasonRequired: true,
      evidenceRequired: true,
    })
    await admin.rollout({ name, weights: { 1: 90, 2: 10 }, reason: 'a look', force: true })
    await admin.rollout({ name, weights: { 1: 50, 2: 50 }, reason: 'more', force: true })
    const asEvaluator = { MLFLOW_TRACKING_TOKEN: server.tokens.evaluator }
    const { tracking } = createEvalDeps({ registry, trackingUri: server.url, env: asEvaluator })
    const metric = createLiveMetric({ metric: 'thumbs_up', tracking, now: Date.now })
    for (const version of [1, 2]) {
      const { digest } = await registry.load(name, { version })
      for (let i = 0; i < 60; i++) metric.observe({ name, version, digest }, version === 1 ? 1 : 0)
    }
    await metric.close()
    const guard = (role: 'reader' | 'promoter') =>
      promptkeep(
        '/',
        { MLFLOW_TRACKING_URI: server.url, MLFLOW_TRACKING_TOKEN: server.tokens[role] },
        ['guard', name, '--metric', 'thumbs_up', '--interval', '1s'],
        { now: () => Date.now() + LATER_MS },
      )
    // Who may not end it must not go on as if it watched.
    expect(await guard('reader')).toMatchObject({ code: 2, err: expect.stringContaining('error:') })
    expect(await guard('promoter')).toMatchObject({ code: 1, out: expect.stringContaining('ROLLED BACK') })
    expect((await registry.load(name)).tags['promptkeep.rollout.production']).toBeUndefined()
    const { items } = await admin.changes({ prompt: name, alias: 'production', limit: 1 })
    expect(items[0]).toMatchObject({
      actor: 'promoter',
      restores: expect.any(Number),
      reason: expect.stringContaining('live guard'),
    })
    await registry.close()
  })

  it('refuses a margin, and a metric that is none', async () => {
    const run = (...flags: string[]) =>
      promptkeep('/', { MLFLOW_TRACKING_URI: server.url, MLFLOW_TRACKING_TOKEN: server.tokens.reader }, [
        'guard',
        'opening',
        ...flags,
      ])
    expect(await run()).toMatchObject({ code: 2, err: expect.stringContaining('--metric is missing') })
    expect(await run('--metric', 'm', '--margin', '5')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--margin'),
    })
    expect(await run('--metric', 'm', '--once', '--tracking-uri', 'http://127.0.0.1:1')).toMatchObject({
      code: 2,
    })
  })
})
