import { describe, expect, it } from 'vitest'
import type { Store } from '../store.ts'
import { type OpenStore, opened } from './support.ts'

const START = 1_700_000_000_000
const HASH = 'ab'.repeat(32)

type Draft = Parameters<Store['tokens']['create']>[0]
const draft = (more: Partial<Draft> = {}): Draft => ({
  id: 'aaaaaaaaaaaa',
  name: 'ada',
  roles: ['reader'],
  hash: HASH,
  expiresAt: undefined,
  createdBy: 'system',
  ...more,
})
const admin = (id: string, more: Partial<Draft> = {}) => draft({ id, name: id, roles: ['admin'], ...more })

export function describeTokens(open: OpenStore) {
  describe('tokens', () => {
    it('says whether one was ever made, also when it is revoked', async () => {
      const { tokens } = await opened(open)
      expect(await tokens.any()).toBe(false)
      await tokens.create(draft())
      expect(await tokens.any()).toBe(true)
      await tokens.revoke('ada')
      expect(await tokens.any()).toBe(true)
    })
    it('keeps what it is given, and tells the hash only when it looks a token up', async () => {
      const { tokens } = await opened(open, { now: () => START })
      const made = await tokens.create(
        draft({ roles: ['evaluator', 'promoter'], expiresAt: START + 5, createdBy: 'root' }),
      )
      expect(made).toEqual({
        id: 'aaaaaaaaaaaa',
        name: 'ada',
        roles: ['evaluator', 'promoter'],
        createdAt: START,
        createdBy: 'root',
        expiresAt: START + 5,
        revokedAt: undefined,
        lastUsedAt: undefined,
      })
      expect(await tokens.list()).toEqual([made])
      expect(await tokens.find('aaaaaaaaaaaa')).toEqual({ ...made, hash: HASH })
      expect(await tokens.find('ada')).toBeUndefined()
    })
    it('lists them oldest first', async () => {
      const { tokens } = await opened(open)
      for (const id of ['cccccccccccc', 'aaaaaaaaaaaa', 'bbbbbbbbbbbb'])
        await tokens.create(draft({ id, name: id }))
      expect((await tokens.list()).map(({ name }) => name)).toEqual([
        'cccccccccccc',
        'aaaaaaaaaaaa',
        'bbbbbbbbbbbb',
      ])
    })
    it('never gives a name twice, also not that of a revoked one', async () => {
      const { tokens } = await opened(open)
      await tokens.create(draft())
      await tokens.revoke('ada')
      await expect(tokens.create(draft({ id: 'bbbbbbbbbbbb' }))).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining('ada'),
      })
      expect(await tokens.list()).toHaveLength(1)
    })
    it('of many who ask for one name, one gets it', async () => {
      const { tokens } = await opened(open)
      const tries = await Promise.allSettled(
        Array.from({ length: 8 }, (_, n) => tokens.create(draft({ id: `aaaaaaaaaaa${n}` }))),
      )
      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    })

    it('revokes by id or by name, once', async () => {
      let time = START
      const { tokens } = await opened(open, { now: () => time })
      await tokens.create(draft())
      await tokens.create(draft({ id: 'bbbbbbbbbbbb', name: 'bob' }))
      time += 1000
      expect(await tokens.revoke('ada')).toMatchObject({ name: 'ada', revokedAt: START + 1000 })
      time += 1000
      expect(await tokens.revoke('ada')).toMatchObject({ revokedAt: START + 1000 })
      expect(await tokens.revoke('bbbbbbbbbbbb')).toMatchObject({ name: 'bob', revokedAt: START + 2000 })
      expect(await tokens.find('aaaaaaaaaaaa')).toMatchObject({ revokedAt: START + 1000 })
      await expect(tokens.revoke('nobody')).rejects.toMatchObject({
        status: 404,
        message: expect.stringContaining('nobody'),
      })
    })
    it('takes an id before a name that looks like it', async () => {
      const { tokens } = await opened(open)
      await tokens.create(draft({ id: 'bbbbbbbbbbbb', name: 'aaaaaaaaaaaa' }))
      await tokens.create(draft())
      expect(await tokens.revoke('aaaaaaaaaaaa')).toMatchObject({ id: 'aaaaaaaaaaaa', name: 'ada' })
    })
    it('keeps the last valid token of an admin, unless it is told to', async () => {
      const { tokens } = await opened(open, { now: () => START })
      await tokens.create(admin('first'))
      await tokens.create(admin('expired', { expiresAt: START }))
      await tokens.create(admin('second', { roles: ['reader', 'admin'], expiresAt: START + 1 }))
      expect(await tokens.revoke('first')).toMatchObject({ revokedAt: START })
      await expect(tokens.revoke('second')).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('last valid token of an admin'),
      })
      expect(await tokens.find('second')).toMatchObject({ revokedAt: undefined })
      expect(await tokens.revoke('expired')).toMatchObject({ revokedAt: START })
      expect(await tokens.revoke('second', { evenLastAdmin: true })).toMatchObject({ revokedAt: START })
    })
    it('of two admins who revoke each other at once, one stays', async () => {
      const { tokens } = await opened(open)
      await tokens.create(admin('first'))
      await tokens.create(admin('second'))
      await Promise.allSettled([tokens.revoke('first'), tokens.revoke('second')])
      expect((await tokens.list()).filter(({ revokedAt }) => revokedAt === undefined)).toHaveLength(1)
    })

    it('notes the last use: an earlier one that comes late does not count', async () => {
      const { tokens } = await opened(open)
      await tokens.create(draft())
      await tokens.used('aaaaaaaaaaaa', START + 10)
      await tokens.used('aaaaaaaaaaaa', START + 5)
      expect(await tokens.find('aaaaaaaaaaaa')).toMatchObject({ lastUsedAt: START + 10 })
      await tokens.used('aaaaaaaaaaaa', START + 20)
      expect(await tokens.find('aaaaaaaaaaaa')).toMatchObject({ lastUsedAt: START + 20 })
    })
  })
}
