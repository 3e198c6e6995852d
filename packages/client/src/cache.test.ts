import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCache } from './cache.ts'

const absence = new Error('absent')

function open(maxEntries = 10) {
  const clock = { ms: 0 }
  return {
    clock,
    cache: createCache<string>({ now: () => clock.ms, maxEntries, isAbsence: (error) => error === absence }),
  }
}

/** A request that a test answers when it likes. */
function request() {
  const { promise, resolve, reject } = withResolvers<string>()
  let asked = 0
  const ask = () => {
    asked++
    return promise
  }
  return { ask, resolve, reject, asked: () => asked }
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((ok, fail) => {
    resolve = ok
    reject = fail
  })
  return { promise, resolve, reject }
}

describe('cache', () => {
  it('shares one request among all who ask at once, and asks anew afterwards', async () => {
    const { cache } = open()
    const first = request()
    const answers = [cache.ask('a', first.ask), cache.ask('a', first.ask), cache.ask('a', first.ask)]
    expect(cache.isAsking('a')).toBe(true)
    first.resolve('one')
    expect(await Promise.all(answers)).toEqual(['one', 'one', 'one'])
    expect(first.asked()).toBe(1)
    expect(cache.isAsking('a')).toBe(false)
    expect(await cache.ask('a', async () => 'two')).toBe('two')
    expect(cache.read('a')?.answer).toMatchObject({ kind: 'value', value: 'two' })
  })

  it('keeps a well-founded absence, and no other failure', async () => {
    const { cache } = open()
    await expect(cache.ask('a', () => Promise.reject(absence))).rejects.toBe(absence)
    expect(cache.read('a')?.answer).toMatchObject({ kind: 'absence', error: absence })
    await expect(cache.ask('b', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    expect(cache.read('b')).toBeUndefined()
    expect(cache.isAsking('b')).toBe(false)
  })

  it('keeps the last good value when a request fails', async () => {
    const { cache, clock } = open()
    cache.write('a', { value: 'good' })
    clock.ms = 5
    await expect(cache.ask('a', () => Promise.reject(new Error('down')))).rejects.toThrow()
    expect(cache.read('a')?.answer).toEqual({ kind: 'value', value: 'good', confirmedAt: 0 })
  })

  it.each(['write', 'expire', 'drop'] as const)(
    'a late answer never overwrites a newer one (%s)',
    async (change) => {
      const { cache } = open()
      const late = request()
      const answer = cache.ask('a', late.ask)
      if (change === 'write') cache.write('a', { value: 'new' })
      else if (change === 'expire') cache.expire('a')
      else cache.drop('a')
      const fresh = cache.ask('a', async () => 'newest') // does not join the request from before the change
      late.resolve('old')
      expect(await answer).toBe('old')
      expect(await fresh).toBe('newest')
      expect(cache.read('a')?.answer).toMatchObject({ value: 'newest' })
    },
  )

  it('throws out the least recently used', () => {
    const { cache, clock } = open(2)
    cache.write('a', { value: '1' })
    cache.write('b', { value: '2' })
    clock.ms = 1
    cache.read('a')
    cache.write('c', { value: '3' })
    expect([cache.peek('a'), cache.peek('b'), cache.peek('c')].map(Boolean)).toEqual([true, false, true])
  })

  it('never throws out what was just learned, also with a clock that was set back', () => {
    const { cache, clock } = open(1)
    clock.ms = 1000
    cache.write('a', { value: '1' })
    clock.ms = 0
    cache.write('b', { value: '2' })
    expect([cache.peek('a'), cache.peek('b')].map(Boolean)).toEqual([false, true])
  })

  it('what expired is kept until it is known anew, and each change of an answer is another epoch', async () => {
    const { cache } = open()
    const epochs = [cache.state.epoch]
    cache.write('a', { value: '1' })
    epochs.push(cache.state.epoch)
    cache.expire('a')
    expect(cache.peek('a')).toMatchObject({ isExpired: true, answer: { value: '1' } })
    epochs.push(cache.state.epoch)
    await cache.ask('a', async () => '2')
    expect(cache.peek('a')).toMatchObject({ isExpired: false, answer: { value: '2' } })
    epochs.push(cache.state.epoch)
    cache.drop('a')
    epochs.push(cache.state.epoch)
    expect(new Set(epochs).size).toBe(epochs.length)
  })

  it('a refresh is no use of an entry', async () => {
    const { cache, clock } = open()
    cache.write('a', { value: '1' })
    clock.ms = 7
    await cache.ask('a', async () => '2')
    expect(cache.peek('a')).toMatchObject({ usedAt: 0, answer: { confirmedAt: 7 } })
    cache.read('a')
    expect(cache.peek('a')?.usedAt).toBe(7)
  })

  it('after any sequence of asks, answers in any order, writes and drops, the newest knowledge stands', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('ask' as const) }),
      fc.record({ do: fc.constant('answer' as const), nth: fc.nat(5) }),
      fc.record({ do: fc.constantFrom('write' as const, 'drop' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const { cache } = open()
        const pending: {
          resolve: () => void
          settled: Promise<unknown>
          isCurrent: boolean
          value: string
        }[] = []
        let current: (typeof pending)[number] | undefined
        let model: string | undefined
        for (const [i, action] of steps.entries()) {
          if (action.do === 'ask' && !current) {
            const { promise, resolve } = withResolvers<string>()
            const value = `asked ${i}`
            current = {
              resolve: () => resolve(value),
              settled: cache.ask('k', () => promise),
              isCurrent: true,
              value,
            }
            pending.push(current)
          } else if (action.do === 'answer' && pending.length > 0) {
            const [one] = pending.splice(action.nth % pending.length, 1)
            one?.resolve()
            await one?.settled
            if (one?.isCurrent) {
              model = one.value
              current = undefined
            }
          } else if (action.do === 'write' || action.do === 'drop') {
            if (current) current.isCurrent = false
            current = undefined
            model = action.do === 'write' ? `written ${i}` : undefined
            if (model === undefined) cache.drop('k')
            else cache.write('k', { value: model })
          }
          const known = cache.read('k')?.answer
          expect(known?.kind === 'value' ? known.value : undefined).toBe(model)
          expect(cache.isAsking('k')).toBe(current !== undefined)
        }
      }),
      { numRuns: 200 },
    )
  })
})
