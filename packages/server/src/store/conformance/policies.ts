import { describe, expect, it } from 'vitest'
import {
  admin,
  by,
  EVIDENCE,
  evaluator,
  guarded,
  policyOf,
  promote,
  promoter,
  refusedFor,
  runOf,
  writer,
} from './policy-support.ts'
import { type OpenStore, opened, withPrompt } from './support.ts'

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
