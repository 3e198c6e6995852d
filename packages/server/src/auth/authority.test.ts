import { setImmediate as turn } from 'node:timers/promises'
import { silent } from '@promptkeep/client/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStore } from '../store/open-store.ts'
import type { TokenStore } from '../store/store.ts'
import { createAuthority } from './authority.ts'
import { createToken } from './create-token.ts'
import { hashSecret, makeToken } from './token.ts'

const START = 1_700_000_000_000

/** An authority over a real store whose calls are counted, with a clock that only the test moves. */
async function court() {
  let time = START
  const now = () => time
  const store = await openStore('sqlite::memory:', { now })
  onTestFinished(() => store.close())
  const asked = { find: 0, any: 0, used: [] as number[] }
  const tokens: TokenStore = {
    ...store.tokens,
    find: (id) => {
      asked.find++
      return store.tokens.find(id)
    },
    any: () => {
      asked.any++
      return store.tokens.any()
    },
    used: (id, at) => {
      asked.used.push(at - START)
      return store.tokens.used(id, at)
    },
  }
  return {
    asked,
    tokens,
    /** The database, as another process has it. */
    elsewhere: store.tokens,
    authorityOf: (parts: Partial<TokenStore> = {}) =>
      createAuthority({ ...tokens, ...parts }, { log: silent, now, elapsedMs: now }),
    make: (name: string, expiresInSeconds?: number) =>
      createToken(
        store.tokens,
        { name, roles: ['reader'], expiresInSeconds },
        { createdBy: 'system', now: time },
      ),
    wait: (ms: number) => {
      time += ms
    },
  }
}

describe('createAuthority', () => {
  it('knows a right token by its name, its roles and its hash', async () => {
    const on = await court()
    const { text, token } = await on.make('ada')
    expect(await on.authorityOf().judge(text)).toEqual({
      kind: 'good',
      principal: { actor: 'ada', roles: ['reader'], tokenId: token.id },
      hash: hashSecret(text.slice(-43)),
    })
  })
  it('knows a wrong one from none, and tells neither apart', async () => {
    const on = await court()
    const { text } = await on.make('ada')
    const authority = on.authorityOf()
    for (const wrong of [makeToken().text, `${text.slice(0, -43)}${makeToken().secret}`, 'nonsense', ''])
      expect(await authority.judge(wrong)).toEqual({ kind: 'wrong' })
  })
  it('says that a token is over only to who has its secret', async () => {
    const on = await court()
    const { text } = await on.make('brief', 10)
    const authority = on.authorityOf()
    expect(await authority.judge(text)).toMatchObject({ kind: 'good' })
    on.wait(10_000)
    expect(await authority.judge(text)).toEqual({ kind: 'expired', name: 'brief', at: START + 10_000 })
    await on.elsewhere.revoke('brief')
    on.wait(1000)
    expect(await authority.judge(text)).toEqual({ kind: 'revoked', name: 'brief', at: START + 10_000 })
    const stranger = `${text.slice(0, -43)}${makeToken().secret}`
    expect(await authority.judge(stranger)).toEqual({ kind: 'wrong' })
  })

  it('asks the database for a token once a second', async () => {
    const on = await court()
    const { text } = await on.make('ada')
    const authority = on.authorityOf()
    for (let ms = 0; ms < 1000; ms++, on.wait(1)) await authority.judge(text)
    expect(on.asked.find).toBe(1)
    await authority.judge(text)
    expect(on.asked.find).toBe(2)
  })
  it('asks once for a thousand that ask at the same time', async () => {
    const on = await court()
    const { text, token } = await on.make('ada')
    const authority = on.authorityOf()
    const principal = { actor: 'ada', roles: ['reader'] as const, tokenId: token.id }
    const asked = Array.from({ length: 1000 }, () => authority.stillGood(principal))
    expect(
      new Set(await Promise.all([...asked, authority.judge(text).then(({ kind }) => kind === 'good')])),
    ).toEqual(new Set([true]))
    expect(on.asked.find).toBe(1)
  })
  it('sees what another process revoked after a second, and what its own did at once', async () => {
    const on = await court()
    const first = await on.make('first')
    const second = await on.make('second')
    const authority = on.authorityOf()
    for (const { text } of [first, second])
      expect(await authority.judge(text)).toMatchObject({ kind: 'good' })
    await on.elsewhere.revoke('first')
    on.wait(1000)
    expect(await authority.judge(first.text)).toMatchObject({ kind: 'revoked' })
    expect(await authority.judge(second.text)).toMatchObject({ kind: 'good' })
    await on.elsewhere.revoke('second')
    authority.forget()
    expect(await authority.judge(second.text)).toMatchObject({ kind: 'revoked' })
  })
  it('does not remember a token that it read while it was being revoked', async () => {
    const on = await court()
    const { text, token } = await on.make('ada')
    const before = await on.elsewhere.find(token.id)
    const late: { answer?: () => void } = {}
    let reads = 0
    const authority = on.authorityOf({
      find: (id) =>
        reads++ === 0
          ? new Promise((resolve) => {
              late.answer = () => resolve(before)
            })
          : on.elsewhere.find(id),
    })
    const first = authority.judge(text)
    await on.elsewhere.revoke('ada')
    authority.forget()
    late.answer?.()
    await first
    expect(await authority.judge(text)).toMatchObject({ kind: 'revoked' })
  })

  it('learns of the first token within a second, and never unlearns it', async () => {
    const on = await court()
    const authority = on.authorityOf()
    expect(await authority.hasTokens()).toBe(false)
    await on.make('first')
    expect(await authority.hasTokens()).toBe(false)
    expect(on.asked.any).toBe(1)
    on.wait(1000)
    expect(await Promise.all([authority.hasTokens(), authority.hasTokens()])).toEqual([true, true])
    expect(on.asked.any).toBe(2)
    await on.elsewhere.revoke('first', { evenLastAdmin: true })
    on.wait(60_000)
    expect(await authority.hasTokens()).toBe(true)
    expect(on.asked.any).toBe(2)
  })
  it('does not believe a "none" that was asked for before the first was made', async () => {
    const on = await court()
    const late: { answer?: () => void } = {}
    let asked = 0
    const authority = on.authorityOf({
      any: () =>
        asked++ === 0
          ? new Promise((resolve) => {
              late.answer = () => resolve(false)
            })
          : on.elsewhere.any(),
    })
    const early = authority.hasTokens()
    await on.make('first')
    authority.forget()
    const after = authority.hasTokens()
    late.answer?.()
    expect([await early, await after, await authority.hasTokens()]).toEqual([expect.any(Boolean), true, true])
  })
  it('does not take a database that is silent for one without tokens', async () => {
    const on = await court()
    const authority = on.authorityOf({ any: () => Promise.reject(new Error('no answer')) })
    await expect(authority.hasTokens()).rejects.toThrow('no answer')
    await expect(authority.hasTokens()).rejects.toThrow('no answer')
  })

  it('notes a use once a minute at most', async () => {
    const on = await court()
    const { text } = await on.make('ada')
    const authority = on.authorityOf()
    for (let second = 0; second < 150; second++, on.wait(1000)) await authority.judge(text)
    expect(on.asked.used).toEqual([0, 60_000, 120_000])
    expect(await on.elsewhere.list()).toMatchObject([{ name: 'ada', lastUsedAt: START + 120_000 }])
    const other = on.authorityOf()
    await other.judge(text)
    expect(on.asked.used).toHaveLength(3)
  })
  it('does not wait for it, nor fail with it', async () => {
    const on = await court()
    const { text } = await on.make('ada')
    const never = on.authorityOf({ used: () => new Promise(() => {}) })
    expect(await never.judge(text)).toMatchObject({ kind: 'good' })
    const failing = on.authorityOf({ used: () => Promise.reject(new Error('disk full')) })
    expect(await failing.judge(text)).toMatchObject({ kind: 'good' })
    await turn() // an unhandled rejection would end the process
  })

  it('tells whether one who was let in still is', async () => {
    const on = await court()
    const authority = on.authorityOf()
    const anybody = { actor: 'anonymous', roles: [] }
    expect(await authority.stillGood(anybody)).toBe(true)
    const { token } = await on.make('ada', 100)
    const ada = { actor: 'ada', roles: ['reader'] as const, tokenId: token.id }
    on.wait(1000)
    expect(await authority.stillGood(anybody)).toBe(false)
    expect(await authority.stillGood(ada)).toBe(true)
    on.wait(99_000)
    expect(await authority.stillGood(ada)).toBe(false)
    expect(await authority.stillGood({ ...ada, tokenId: 'nobodyknows0' })).toBe(false)
  })
})
