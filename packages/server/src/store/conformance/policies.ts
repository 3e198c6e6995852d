import { digestOf, type Role, TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import type { Author, Policy, RunStatus, Store } from '../store.ts'
import { ada, draftOf, type OpenStore, opened, seedOf, withPrompt } from './support.ts'

const by = (actor: string, ...roles: Role[]): Author => ({ actor, roles, tokenId: `id-of-${actor}` })
const writer = by('wren', 'writer')
const promoter = by('pia', 'promoter')
const admin = by('root', 'admin')
const evaluator = by('ci', 'evaluator')

const EVIDENCE = { alias: 'production', evidenceRequired: true } as const

/** Nothing but what a test asks for. */
function policyOf(given: Partial<Policy>): Omit<Policy, 'updatedAt' | 'updatedBy'> {
  return {
    alias: 'production',
    roles: ['writer', 'promoter'],
    reasonRequired: false,
    evidenceRequired: false,
    maxAgeMs: undefined,
    ...given,
  }
}

/** A finished run that passed, except for what a test changes; `undefined` leaves a param or tag out. */
interface Sketch {
  readonly name?: string
  readonly version?: number
  readonly params?: Readonly<Record<string, string | undefined>>
  readonly tags?: Readonly<Record<string, string | undefined>>
  readonly status?: RunStatus
  readonly endTime?: number
  /** Of the verdict. */
  readonly author?: Author
}

const RECENT = 1_700_000_000_000

async function runOf(store: Store, sketch: Sketch = {}): Promise<string> {
  const { name = 'memory', version = 2, status = 'FINISHED', endTime = RECENT, author = evaluator } = sketch
  const { tags } = await store.versions.get(name, version)
  const digest = await digestOf({ template: tags[TAG.text] ?? '' })
  const params = {
    suite: 'tone',
    dataset_digest: 'd1',
    [`prompt.${name}`]: `v${version}`,
    [`prompt_digest.${name}`]: digest,
    ...sketch.params,
  }
  const draft = { experimentId: '0', name: 'run', userId: 'ci', startTime: RECENT - 1000, tags: {} }
  const { id } = await store.runs.create(draft, evaluator)
  await store.runs.log(id, { metrics: [], params: pairs(params), tags: [] }, evaluator)
  const said = { 'mlflow.source.name': 'evals/tone.yaml', 'promptkeep.verdict': 'pass', ...sketch.tags }
  await store.runs.log(id, { metrics: [], params: [], tags: pairs(said) }, author)
  await store.runs.update(id, { status, endTime })
  return id
}

const pairs = (given: Readonly<Record<string, string | undefined>>) =>
  Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]))

/** `memory` with three versions, production at the first, which has a baseline run, and a policy. */
async function guarded(open: OpenStore, policy: Partial<Policy> = EVIDENCE, now = () => RECENT + 1000) {
  const store = await opened(open, { now, allowModelConfigEdit: true })
  await withPrompt(store, 'memory', 'one', 'two', 'three')
  await store.aliases.move({ name: 'memory', alias: 'production', to: 1, ...ada })
  await runOf(store, { version: 1, endTime: RECENT - 5000 })
  await store.policies.set(policyOf(policy), admin)
  return store
}

const promote = (store: Store, more: Partial<Author> = {}, to = 2, name = 'memory') =>
  store.aliases.move({ name, alias: 'production', to, ...promoter, ...more })

const refusedFor = (clause: string, ...texts: string[]) => ({
  code: 'FORBIDDEN',
  message: expect.stringMatching(
    new RegExp([`clause "${clause}"`, ...texts.map(escaped)].map((text) => `(?=[^]*${text})`).join('')),
  ),
})

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

export function describePolicies(open: OpenStore) {
  describe('policies', () => {
    it('lets writers, promoters and admins move an alias that has none, and nobody else', async () => {
      const store = await opened(open)
      await withPrompt(store, 'memory', 'one')
      for (const author of [writer, promoter, admin])
        await store.aliases.move({ name: 'memory', alias: 'production', to: 1, ...author })
      for (const author of [by('r', 'reader'), evaluator, by('none')])
        await expect(
          store.aliases.move({ name: 'memory', alias: 'production', to: 1, ...author }),
        ).rejects.toMatchObject(refusedFor('role', 'writer or promoter or admin'))
    })

    it('keeps one for an alias, by alias, until it is removed', async () => {
      const store = await opened(open)
      const strict = policyOf({ ...EVIDENCE, roles: ['promoter'], maxAgeMs: 60_000 })
      expect(await store.policies.set(strict, admin)).toMatchObject({ ...strict, updatedBy: 'root' })
      await store.policies.set(policyOf({ alias: 'beta' }), admin)
      expect((await store.policies.list()).map(({ alias }) => alias)).toEqual(['beta', 'production'])
      expect(await store.policies.get('production')).toMatchObject(strict)
      await store.policies.set(policyOf({ reasonRequired: true }), admin)
      expect(await store.policies.get('production')).toMatchObject(policyOf({ reasonRequired: true }))
      expect(await store.policies.remove('production', admin)).toBe(true)
      expect(await store.policies.remove('production', admin)).toBe(false)
      expect(await store.policies.get('production')).toBeUndefined()
    })

    it('narrows who may move its alias, of every prompt, and no other alias', async () => {
      const store = await guarded(open, { roles: ['promoter'] })
      await withPrompt(store, 'tone', 'one')
      for (const name of ['memory', 'tone'])
        await expect(
          store.aliases.move({ name, alias: 'production', to: 1, ...writer }),
        ).rejects.toMatchObject(refusedFor('role', `production of ${name}`, 'wren has writer'))
      await store.aliases.move({ name: 'memory', alias: 'beta', to: 1, ...writer })
      await store.aliases.move({ name: 'memory', alias: 'Production', to: 1, ...writer })
      for (const author of [promoter, admin])
        await store.aliases.move({ name: 'memory', alias: 'production', to: 2, ...author })
    })

    it('asks for a reason that says something', async () => {
      const store = await guarded(open, { reasonRequired: true })
      for (const reason of [undefined, '', ' \n'])
        await expect(promote(store, { reason })).rejects.toMatchObject(
          refusedFor('reason', '--reason', 'Promptkeep-Reason'),
        )
      expect(await promote(store, { reason: 'warmer' })).toMatchObject({ to: 2, reason: 'warmer' })
    })

    it('keeps evidence as a note where no policy asks for it', async () => {
      const store = await guarded(open, {})
      expect(await promote(store, { evidence: 'seen by Ada' })).toMatchObject({ evidence: 'seen by Ada' })
    })
  })

  describe('evidence', () => {
    it('moves with a run that judged the version, and keeps the run in the log', async () => {
      const store = await guarded(open)
      const id = await runOf(store)
      await expect(promote(store)).rejects.toMatchObject(
        refusedFor('evidence', 'promptkeep alias memory production 2 --evidence', 'Promptkeep-Evidence'),
      )
      const change = await promote(store, { evidence: id })
      expect(change).toMatchObject({ from: 1, to: 2, evidence: `runs:/${id}` })
      expect(change.forced).toBeUndefined()
      await runOf(store, { version: 2 })
      const next = await runOf(store, { version: 3 })
      expect(await promote(store, { evidence: `runs:/${next}` }, 3)).toMatchObject({
        evidence: `runs:/${next}`,
      })
    })

    const digest = 'prompt_digest.memory'
    const clauses: [clause: string, why: string, sketch: Sketch, found: string][] = [
      ['finished', 'still runs', { status: 'RUNNING' }, 'is RUNNING'],
      ['finished', 'failed', { status: 'FAILED' }, 'is FAILED'],
      ['finished', 'was killed', { status: 'KILLED' }, 'is KILLED'],
      ['age', 'is too old', { endTime: RECENT - 60_000 }, '61 s ago'],
      ['age', 'ends in the future', { endTime: RECENT + 120_000 }, 'still to come'],
      ['version', 'judged another version', { params: { 'prompt.memory': 'v3' } }, 'prompt.memory = "v3"'],
      ['version', 'judged no version of it', { params: { 'prompt.memory': undefined } }, 'has no param'],
      ['digest', 'judged another text', { params: { [digest]: 'f'.repeat(64) } }, `${digest} = "ffff`],
      ['digest', 'says no digest', { params: { [digest]: undefined } }, `no param ${digest}`],
      ['dataset', 'used another dataset', { params: { dataset_digest: 'd2' } }, 'dataset_digest d2'],
      ['dataset', 'says no dataset', { params: { dataset_digest: undefined } }, 'no param dataset_digest'],
      ['dataset', 'says no suite', { params: { suite: undefined } }, 'no param suite'],
      ['dataset', 'ran a suite without a baseline', { params: { suite: 'other' } }, 'no baseline run'],
      ['verdict', 'failed its gate', { tags: { 'promptkeep.verdict': 'fail' } }, '= "fail"'],
      ['verdict', 'has no verdict', { tags: { 'promptkeep.verdict': undefined } }, 'has no tag'],
      ['verdict', 'was judged by a writer', { author: writer }, 'written by wren'],
      ['verdict', 'was judged by an admin who is no evaluator', { author: admin }, 'written by root'],
      ['verdict', 'was judged by nobody known', { author: ada }, 'written by ada'],
      ['invalid', 'is marked invalid', { tags: { 'promptkeep.invalid': 'a fallback' } }, '"a fallback"'],
      ['invalid', 'is marked invalid without a word', { tags: { 'promptkeep.invalid': '' } }, 'invalid'],
    ]
    it.each(clauses)('clause %s: a run that %s is none, and without that it is', async (...given) => {
      const [clause, , sketch, found] = given
      const store = await guarded(open, { ...EVIDENCE, maxAgeMs: 60_000 })
      const flawed = await runOf(store, sketch)
      await expect(promote(store, { evidence: flawed })).rejects.toMatchObject(refusedFor(clause, found))
      expect((await store.aliases.find('memory', 'production'))?.version).toBe(1)
      expect(await promote(store, { evidence: await runOf(store) })).toMatchObject({ to: 2 })
    })

    it('clause run: there must be one', async () => {
      const store = await guarded(open)
      for (const evidence of ['', 'runs:/', 'no-such-run', "' or 1=1 --", 'runs:/runs:/x'])
        await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('run', 'has no run'))
    })

    it('reads an age to the millisecond, and takes any where the policy has none', async () => {
      let time = RECENT + 60_000
      const store = await guarded(open, { ...EVIDENCE, maxAgeMs: 60_000 }, () => time)
      const evidence = await runOf(store)
      await promote(store, { evidence })
      time++
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('age', '61 s ago'))
      await store.policies.set(policyOf(EVIDENCE), admin)
      await promote(store, { evidence })
    })

    it('refuses evidence for another prompt that had this name and number', async () => {
      const store = await guarded(open)
      const evidence = await runOf(store)
      await store.prompts.delete('memory', { ...admin, force: true, reason: 'start over' })
      await withPrompt(store, 'memory', 'one', 'another two')
      await expect(promote(store, { evidence })).rejects.toMatchObject(
        refusedFor('digest', 'prompt_digest.memory'),
      )
      // The same text again is what was judged.
      await store.prompts.delete('memory', admin)
      await withPrompt(store, 'memory', 'one', 'two')
      expect(await promote(store, { evidence })).toMatchObject({ to: 2 })
    })

    it('refuses evidence for what a version said before its model config was edited', async () => {
      const store = await guarded(open)
      const evidence = await runOf(store)
      await store.versions.setTag('memory', 2, TAG.modelConfig, '{"temperature":1}', writer)
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('digest'))
      await store.versions.deleteTag('memory', 2, TAG.modelConfig, writer)
      await promote(store, { evidence })
    })

    it('takes the newest finished, valid run of the same suite as baseline, and names the command that makes one', async () => {
      const store = await guarded(open)
      const evidence = await runOf(store, { params: { dataset_digest: 'd2' } })
      const make = 'promptkeep eval evals/tone.yaml --prompt-alias=production'
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('dataset', make))
      const baseline = { version: 1, params: { dataset_digest: 'd2' } } satisfies Sketch
      for (const useless of [
        { status: 'FAILED' },
        { tags: { 'promptkeep.invalid': 'a fallback' } },
        { params: { ...baseline.params, suite: 'other' } },
        { params: { ...baseline.params, [digest]: 'f'.repeat(64) } },
        { endTime: RECENT - 9000 },
        { endTime: RECENT + 999_999 },
      ] satisfies Sketch[])
        await runOf(store, { ...baseline, ...useless })
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('dataset', make))
      await runOf(store, { ...baseline, tags: { 'promptkeep.verdict': 'fail' } })
      await promote(store, { evidence })
    })

    it('needs no baseline where the alias is not set', async () => {
      const store = await guarded(open)
      await withPrompt(store, 'tone', 'one')
      const evidence = await runOf(store, { name: 'tone', version: 1 })
      expect(await promote(store, { evidence }, 1, 'tone')).toMatchObject({ to: 1 })
    })

    it('takes a command line from a run only when it looks like a suite', async () => {
      const store = await guarded(open)
      const tags = { 'mlflow.source.name': '$(rm -rf ~).yaml' }
      const evidence = await runOf(store, { tags, params: { suite: 'other' } })
      await expect(promote(store, { evidence })).rejects.toMatchObject(
        refusedFor('dataset', "eval '<suite>'"),
      )
    })

    it.each(['a.b', 'prompt.memory', 'über', 'with space', '-x', '_'])(
      'works for the name %s',
      async (name) => {
        const store = await guarded(open)
        await withPrompt(store, name, 'one', 'two')
        const first = await runOf(store, { name, version: 1 })
        await promote(store, { evidence: first }, 1, name)
        await promote(store, { evidence: await runOf(store, { name, version: 2 }) }, 2, name)
        const third = await store.versions.create(await draftOf(name, 'three'), writer)
        await expect(promote(store, { evidence: first }, third.version, name)).rejects.toMatchObject(
          refusedFor('version'),
        )
      },
    )

    it('is void when params are added after the verdict, until an evaluator judges again', async () => {
      const store = await guarded(open)
      const id = await runOf(store, { params: { [digest]: undefined } })
      const two = await digestOf({ template: 'two' })
      await store.runs.log(id, { metrics: [], params: [{ key: digest, value: two }], tags: [] }, evaluator)
      await expect(promote(store, { evidence: id })).rejects.toMatchObject(refusedFor('verdict', 'params'))
      const verdict = { key: 'promptkeep.verdict', value: 'pass' }
      await store.runs.log(id, { metrics: [], params: [], tags: [verdict] }, evaluator)
      // The same param again says nothing new.
      await store.runs.log(id, { metrics: [], params: [{ key: digest, value: two }], tags: [] }, evaluator)
      await promote(store, { evidence: id })
    })

    it('counts who wrote the verdict last', async () => {
      const store = await guarded(open)
      const id = await runOf(store)
      const judge = (author: Author, value = 'pass') =>
        store.runs.log(id, { metrics: [], params: [], tags: [{ key: 'promptkeep.verdict', value }] }, author)
      await judge(admin)
      await expect(promote(store, { evidence: id })).rejects.toMatchObject(refusedFor('verdict', 'root'))
      await judge(evaluator, 'fail')
      await expect(promote(store, { evidence: id })).rejects.toMatchObject(refusedFor('verdict', 'fail'))
      await judge(by('both', 'evaluator', 'promoter'))
      await promote(store, { evidence: id })
    })

    it('does not count a verdict whose token was revoked since', async () => {
      const store = await guarded(open)
      const token = {
        name: 'ci',
        roles: ['evaluator'],
        hash: 'h',
        expiresAt: undefined,
        createdBy: 'root',
      } as const
      await store.tokens.create({ id: evaluator.tokenId ?? '', ...token })
      const evidence = await runOf(store)
      await promote(store, { evidence })
      await store.tokens.revoke('ci')
      await runOf(store, { author: by('ci2', 'evaluator') })
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('verdict', 'revoked'))
    })
  })

  describe('what else changes what a guarded alias says', () => {
    const rollout = `${TAG.rolloutPrefix}production`
    const ways: [what: string, change: (store: Store, author: Author) => Promise<unknown>, kind: string][] = [
      ['removing it', (s, a) => s.aliases.remove('memory', 'production', a), 'alias.removed'],
      ['deleting its version', (s, a) => s.versions.delete('memory', 1, a), 'version.deleted'],
      ['deleting its prompt', (s, a) => s.prompts.delete('memory', a), 'prompt.deleted'],
      ['renaming its prompt', (s, a) => s.prompts.rename('memory', 'other', a), 'prompt.renamed'],
      ['a rollout', (s, a) => s.versions.setTag('memory', 1, rollout, '{"2":10}', a), 'rollout.changed'],
      [
        'a config edit',
        (s, a) => s.versions.setTag('memory', 1, TAG.modelConfig, '{"temperature":1}', a),
        'config.edited',
      ],
    ]
    it.each(ways)('%s needs force where evidence is asked for', async (_, change, kind) => {
      const store = await guarded(open)
      const before = await store.changes.after(0, 100)
      for (const author of [writer, promoter, admin])
        await expect(change(store, { ...author, reason: 'why not' })).rejects.toMatchObject(
          refusedFor('evidence', 'Promptkeep-Force'),
        )
      expect(await store.changes.after(0, 100)).toEqual(before)
      await change(store, { ...admin, force: true, reason: 'broken' })
      const logged = await store.changes.after(before.length, 100)
      expect(logged.at(-1)).toMatchObject({ kind, forced: true, reason: 'broken', actor: 'root' })
    })

    it.each(ways)('%s needs the roles and the reason of its policy', async (_, change, kind) => {
      const store = await guarded(open, { roles: ['promoter'], reasonRequired: true })
      await expect(change(store, { ...writer, reason: 'x' })).rejects.toMatchObject(refusedFor('role'))
      await expect(change(store, promoter)).rejects.toMatchObject(refusedFor('reason'))
      await change(store, { ...promoter, reason: 'retired' })
      const [last] = await store.changes.list({
        prompt: 'memory',
        kinds: [kind as 'alias.removed'],
        limit: 1,
      })
      expect(last).toMatchObject({ reason: 'retired' })
      expect(last?.forced).toBeUndefined()
    })

    it('leaves other aliases and versions alone', async () => {
      const store = await guarded(open)
      await store.aliases.move({ name: 'memory', alias: 'beta', to: 2, ...writer })
      await store.versions.setTag('memory', 2, `${TAG.rolloutPrefix}beta`, '{"3":10}', writer)
      await store.versions.setTag('memory', 2, rollout, '{"3":10}', writer)
      await store.versions.deleteTag('memory', 2, rollout, writer)
      await store.versions.setTag('memory', 1, 'free', 'x', writer)
      await store.aliases.remove('memory', 'production-2', writer)
      await store.aliases.remove('memory', 'beta', writer)
      await store.versions.delete('memory', 2, writer)
      await store.versions.update('memory', 1, 'another message', writer)
    })

    it('does not take a rollout into a move: the run judged one version', async () => {
      const store = await guarded(open)
      await store.versions.setTag('memory', 2, rollout, '{"3":90}', writer)
      const evidence = await runOf(store)
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('rollout', rollout))
      await store.versions.deleteTag('memory', 2, rollout, writer)
      await promote(store, { evidence })
    })

    it.each(['{"3":10}', '{"v3":10}', '3=10', '[["3",10]]'])(
      'keeps the versions that a rollout in force names: %s',
      async (weights) => {
        const store = await guarded(open)
        await store.versions.setTag('memory', 1, rollout, weights, { ...admin, force: true, reason: 'a try' })
        await expect(store.versions.delete('memory', 3, writer)).rejects.toMatchObject(refusedFor('evidence'))
        await expect(
          store.versions.setTag('memory', 3, TAG.modelConfig, '{"temperature":1}', writer),
        ).rejects.toMatchObject(refusedFor('evidence'))
        await store.versions.delete('memory', 2, writer)
      },
    )

    it('does not let a rollout reach a version that is registered after it', async () => {
      const store = await guarded(open)
      await store.versions.setTag('memory', 1, rollout, '{"4":90}', { ...admin, force: true, reason: 'soon' })
      const draft = await draftOf('memory', 'four')
      await expect(store.versions.create(draft, writer)).rejects.toMatchObject(refusedFor('evidence'))
      await expect(store.versions.get('memory', 4)).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
      // A seeded prompt could bring such a rollout along.
      const seed = await seedOf('tone', 'new')
      const versionTags = { ...seed.versionTags, [rollout]: '{"2":100}' }
      await store.prompts.seed({ ...seed, versionTags }, writer)
      const next = await draftOf('tone', 'sly')
      await expect(store.versions.create(next, writer)).rejects.toMatchObject(refusedFor('evidence'))
      await store.versions.create(draft, { ...admin, force: true, reason: 'here it is' })
      const [registered] = await store.changes.list({ prompt: 'memory', limit: 1 })
      expect(registered).toMatchObject({ kind: 'version.registered', to: 4, forced: true })
    })

    it('seeds a name that is new, and moves nothing by seeding', async () => {
      const store = await guarded(open, { ...EVIDENCE, roles: ['promoter'] })
      expect(await store.prompts.seed(await seedOf('tone', 'new'), writer)).toMatchObject({
        outcome: 'seeded',
      })
      expect(await store.prompts.seed(await seedOf('tone', 'newer'), writer)).toMatchObject({
        outcome: 'skipped',
        current: { version: 1 },
      })
      expect(await store.prompts.seed(await seedOf('memory', 'newer'), writer)).toMatchObject({
        outcome: 'skipped',
        current: { version: 1 },
      })
    })

    it('takes seeding a name that had another prompt for a move', async () => {
      const store = await guarded(open)
      await withPrompt(store, 'draft', 'one')
      await store.prompts.delete('draft', writer)
      await withPrompt(store, 'old', 'one')
      await store.prompts.rename('old', 'new', writer)
      for (const name of ['draft', 'old'])
        await expect(store.prompts.seed(await seedOf(name, 'sly'), writer)).rejects.toMatchObject(
          refusedFor('evidence'),
        )
      await expect(store.prompts.get('draft')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
      await store.prompts.create({ name: 'draft', description: '', tags: { [TAG.isPrompt]: 'true' } })
      await expect(store.prompts.seed(await seedOf('draft', 'sly'), writer)).rejects.toMatchObject(
        refusedFor('evidence'),
      )
      await store.prompts.seed(await seedOf('draft', 'fine', 'beta'), writer)
    })
  })

  describe('force', () => {
    it('is an admin’s, with a reason, and marks only what the policy would have refused', async () => {
      const store = await guarded(open)
      const force = { force: true, reason: 'an incident' }
      for (const author of [writer, promoter, by('all-but', 'writer', 'promoter', 'evaluator')])
        await expect(promote(store, { ...author, ...force })).rejects.toMatchObject({
          code: 'FORBIDDEN',
          message: expect.stringContaining('Only an admin'),
        })
      for (const reason of [undefined, '  '])
        await expect(promote(store, { ...admin, force: true, reason })).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining('needs a reason'),
        })
      const evidence = await runOf(store)
      const earned = await promote(store, { ...admin, ...force, evidence })
      expect(earned).toMatchObject({ to: 2, evidence: `runs:/${evidence}` })
      expect(earned.forced).toBeUndefined()
      const forced = await promote(store, { ...admin, ...force, evidence }, 3)
      expect(forced).toMatchObject({ to: 3, forced: true, reason: 'an incident' })
      // It did not hold: the log does not name it as if it had.
      expect(forced.evidence).toBeUndefined()
      expect(await store.changes.list({ prompt: 'memory', limit: 1 })).toEqual([forced])
    })

    it('marks, of several aliases that go with a version, the guarded ones', async () => {
      const store = await guarded(open)
      await store.aliases.move({ name: 'memory', alias: 'beta', to: 1, ...writer })
      await store.versions.delete('memory', 1, { ...admin, force: true, reason: 'leaked' })
      const changes = await store.changes.list({ prompt: 'memory', limit: 3 })
      expect(changes.map(({ kind, alias, forced }) => [kind, alias, forced])).toEqual([
        ['version.deleted', undefined, true],
        ['alias.removed', 'production', true],
        ['alias.removed', 'beta', undefined],
      ])
    })
  })

  describe('rollback under a policy', () => {
    it('needs the roles and the reason, and no evidence: it was in force before', async () => {
      const store = await guarded(open, { ...EVIDENCE, roles: ['promoter'], reasonRequired: true })
      const reason = 'worse'
      await promote(store, { evidence: await runOf(store), reason: 'better' })
      const back = { name: 'memory', alias: 'production' }
      await expect(store.history.rollback({ ...back, ...writer, reason })).rejects.toMatchObject(
        refusedFor('role'),
      )
      await expect(store.history.rollback({ ...back, ...promoter })).rejects.toMatchObject(
        refusedFor('reason'),
      )
      const [change] = await store.history.rollback({ ...back, ...promoter, reason })
      expect(change).toMatchObject({ kind: 'alias.moved', from: 2, to: 1, reason })
      expect(change?.forced).toBeUndefined()
    })

    it('does not unset an alias without force: the next move had nothing to be compared with', async () => {
      const store = await guarded(open)
      const back = { name: 'memory', alias: 'production', reason: 'away' }
      await expect(store.history.rollback({ ...back, ...promoter })).rejects.toMatchObject(
        refusedFor('evidence'),
      )
      const [change] = await store.history.rollback({ ...back, ...admin, force: true })
      expect(change).toMatchObject({ kind: 'alias.removed', from: 1, forced: true })
    })
  })

  describe('policies and moves at once', () => {
    it('lets no move pass after the policy that refuses it', async () => {
      const store = await guarded(open, {})
      const move = () =>
        store.aliases.move({ name: 'memory', alias: 'production', to: 2, ...writer }).then(
          () => 'moved',
          (error: unknown) => {
            expect(error).toMatchObject(refusedFor('role'))
            return 'refused'
          },
        )
      const early = Array.from({ length: 8 }, move)
      const set = store.policies.set(policyOf({ roles: ['promoter'] }), admin)
      const during = Array.from({ length: 8 }, move)
      await set
      const late = await Promise.all(Array.from({ length: 4 }, move))
      expect(new Set(late)).toEqual(new Set(['refused']))
      const moved = (await Promise.all([...early, ...during])).filter((outcome) => outcome === 'moved')
      // One move came before, and what was refused is in no log.
      const log = await store.changes.list({ prompt: 'memory', kinds: ['alias.moved'], limit: 100 })
      expect(log).toHaveLength(moved.length + 1)
    })
  })
}
