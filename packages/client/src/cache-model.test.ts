import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBreaker } from './breaker.ts'
import { AliasNotFound, hasCode, isAbsence, PromptNotFound, RegistryError } from './errors.ts'
import { createLiveCache } from './live-cache.ts'
import { createLoader } from './loader.ts'
import { createLoads } from './loads.ts'
import type { Prompt, PromptVersion } from './prompt.ts'
import { createReporter } from './reporter.ts'
import { readSettings } from './settings.ts'
import type { Timers } from './timers.ts'
import type { Transport } from './transport.ts'

/**
 * Loads against a registry that is moved, fails, answers late and in any order, while the clock of the wall is set to and
 * fro. What the registry truly said, and when, is written down; every load is held to it.
 */
const TTL_MS = 1_000
const NAMES = ['a', 'b'] as const
type Name = (typeof NAMES)[number]

const name = fc.constantFrom(...NAMES)
const step = fc.oneof(
  // Most answers come at once.
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), name }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('load' as const), name }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), nth: fc.nat(7) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fail' as const), nth: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('move' as const, 'delete' as const), name }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('hear' as const, 'move and hear' as const), name }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 700 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('set clock' as const),
      byMs: fc.constantFrom(-3_600_000, -400, 400, 3_600_000),
    }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
/** Less than a TTL back: what is kept looks younger than it is, also while it is asked for again. */
const CLOCK_SET_BACK: Step[][] = [
  [
    { do: 'ask', name: 'b' },
    { do: 'move', name: 'b' },
    { do: 'wait', ms: 348 },
    { do: 'set clock', byMs: -400 },
    { do: 'wait', ms: 653 },
    { do: 'ask', name: 'b' },
  ],
  [
    { do: 'move', name: 'a' },
    { do: 'ask', name: 'a' },
    { do: 'move', name: 'a' },
    { do: 'wait', ms: 468 },
    { do: 'wait', ms: 533 },
    { do: 'set clock', byMs: -400 },
    { do: 'ask', name: 'a' },
  ],
]

/** What the registry said of a name from `at` on; no version: there is no such thing. */
interface Said {
  readonly at: number
  readonly version: number | undefined
}

function world() {
  const time = { ms: 1_000_000, skewMs: 0 }
  const now = () => time.ms + time.skewMs
  const truth = new Map<Name, Said[]>(NAMES.map((one) => [one, [{ at: 0, version: undefined }]]))
  const saysNow = (one: Name) => truth.get(one)?.at(-1)?.version
  let made = 0
  let failures = 0
  const failedAt: number[] = []

  const versionOf = (one: Name, version: number): PromptVersion => ({
    name: one,
    version,
    template: `${one} ${version}`,
    commitMessage: '',
    tags: {},
    aliases: ['production'],
    createdAt: version,
    digest: `${one} ${version}`,
  })

  interface Asked {
    readonly name: Name
    /** A registry that is slow answers what it read when it was asked. */
    readonly said: number | undefined
    settle(isOk: boolean): void
  }
  const asked: Asked[] = []
  const slowest = { ms: 0 }
  const transport = {
    address: 'model',
    scope: 'model',
    findByAlias: (one: Name) =>
      new Promise<PromptVersion>((resolve, reject) => {
        const said = saysNow(one)
        const askedAt = time.ms
        asked.push({
          name: one,
          said,
          settle(isOk) {
            slowest.ms = Math.max(slowest.ms, time.ms - askedAt)
            if (!isOk) reject(new RegistryError('UNAVAILABLE', 'refused'))
            else if (said === undefined)
              reject(time.ms % 2 ? new AliasNotFound('production') : new PromptNotFound(one))
            else resolve(versionOf(one, said))
          },
        })
      }),
  } as unknown as Transport

  const due = new Map<string, { readonly at: number; readonly work: () => void }>()
  const timers: Timers = {
    after: (key, ms, work) => due.set(key, { at: time.ms + ms, work }),
    cancel: (key) => due.delete(key),
    clear: () => due.clear(),
  }

  return {
    time,
    now,
    truth,
    saysNow,
    transport,
    timers,
    asked,
    slowest,
    versionOf,
    failedAt,
    move(one: Name) {
      made++
      truth.get(one)?.push({ at: time.ms, version: made })
    },
    delete: (one: Name) => truth.get(one)?.push({ at: time.ms, version: undefined }),
    fail: () => failedAt.push(++failures),
    pass(ms: number) {
      const until = time.ms + ms
      for (;;) {
        const [next] = [...due].filter(([, { at }]) => at <= until).sort(([, x], [, y]) => x.at - y.at)
        if (!next) break
        const [key, { at, work }] = next
        time.ms = at
        due.delete(key)
        work()
      }
      time.ms = until
    },
    /** Everything that the registry said of a name at some moment in between. */
    saidBetween(one: Name, from: number, to: number): (number | undefined)[] {
      const all = truth.get(one) ?? []
      return all
        .filter(({ at }, i) => at <= to && (all[i + 1]?.at ?? Number.POSITIVE_INFINITY) >= from)
        .map((s) => s.version)
    },
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('whatever the order of loads, moves, deletes, answers, failures and clock steps', () => {
  it("no load gets another name's value, an empty one, or one that is older than promised", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 30 }), async (steps) => {
        const it = world()
        const { time, now } = it
        const settings = readSettings({ cacheTtlSeconds: TTL_MS / 1000, now, env: {} })
        const closing = new AbortController()
        const breaker = createBreaker(now)
        const loader = createLoader({
          ...settings,
          transport: it.transport,
          timers: it.timers,
          random: () => 0.5,
          closing: closing.signal,
          breaker,
          onAnswer: () => breaker.answered(),
          onTrouble: () => {},
        })
        const reporter = createReporter(settings)
        const loads = createLoads({ settings, loader, reporter, closing: closing.signal })
        const live = createLiveCache(loader.inside)
        /** Heard and kept: from then on an outage is no reason to be without. */
        const heard = new Map<Name, number>()
        /** When a follower last said what it is: who loads after that gets nothing older. */
        const followedAt = new Map<Name, number>()
        const open: Promise<void>[] = []

        async function load(one: Name): Promise<void> {
          const startedAt = time.ms
          const oldest = () => Math.max(startedAt - TTL_MS - it.slowest.ms, followed)
          const followed = followedAt.get(one) ?? 0
          const wasHeard = heard.has(one)
          let outagesBefore = it.failedAt.length
          if (breaker.outage) outagesBefore--
          let prompt: Prompt
          try {
            prompt = await loads.load(one)
          } catch (error) {
            if (isAbsence(error)) {
              expect(it.saidBetween(one, oldest(), time.ms)).toContain(undefined)
            } else {
              expect(hasCode(error, 'UNAVAILABLE', 'TIMEOUT')).toBe(true)
              expect(wasHeard).toBe(false)
            }
            return
          }
          expect(prompt.template).toBe(`${one} ${prompt.version}`) // never another's, never empty
          if (prompt.source === 'stale') expect(it.failedAt.length).toBeGreaterThan(outagesBefore)
          else expect(it.saidBetween(one, oldest(), time.ms)).toContain(prompt.version)
        }

        for (const action of steps) {
          if (action.do === 'load' || action.do === 'ask') {
            const one = load(action.name)
            one.catch(() => {}) // looked at below, all together
            open.push(one)
          }
          if (action.do === 'move') it.move(action.name)
          if (action.do === 'delete') it.delete(action.name)
          if (action.do === 'wait') it.pass(action.ms)
          if (action.do === 'set clock') time.skewMs += action.byMs
          if (action.do === 'move and hear') it.move(action.name)
          if (action.do === 'hear' || action.do === 'move and hear') {
            const version = it.saysNow(action.name)
            if (version === undefined) live.deleted(action.name)
            else void live.said(action.name, 'production', it.versionOf(action.name, version))
            followedAt.set(action.name, time.ms)
          }
          if (action.do === 'answer' || action.do === 'fail') {
            const [one] = it.asked.splice(action.nth % Math.max(1, it.asked.length), 1)
            if (one && action.do === 'fail') it.fail()
            one?.settle(action.do === 'answer')
          }
          await turn()
          if (action.do === 'ask') {
            for (const one of it.asked.filter(({ name }) => name === action.name)) {
              it.asked.splice(it.asked.indexOf(one), 1)
              one.settle(true)
            }
            await turn()
          }
          for (const one of NAMES) {
            const answer = loader.inside.cache.peek(`model ${one} @production`)?.answer
            if (answer?.kind === 'value') heard.set(one, answer.value.body.version)
            else heard.delete(one)
          }
        }
        const answerAll = async () => {
          await turn()
          while (it.asked.length > 0) {
            for (const one of it.asked.splice(0)) one.settle(true)
            await turn()
          }
        }
        await answerAll()
        await Promise.all(open)
        // All is quiet and the registry answers at once: when every pause is over, every load says what it says.
        time.skewMs = 0
        for (let i = 0; i < 15; i++) {
          it.pass(1_000)
          await answerAll()
        }
        for (const one of NAMES) {
          const last = loads.load(one).then(
            (prompt) => prompt.version,
            (error) => (isAbsence(error) ? undefined : error),
          )
          await answerAll()
          expect(await last).toBe(it.saysNow(one))
        }
        closing.abort()
      }),
      { numRuns: 20_000, examples: CLOCK_SET_BACK.map((steps) => [steps]) },
    )
  }, 300_000)
})
