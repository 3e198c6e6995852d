import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Arm, createGuardTest } from './guard-test.ts'
import { seededRandom } from './seeded-random.ts'

/** Feeds observations of both sides, turn by turn, and says after how many it found the new version worse. */
function alarmAfter(
  count: number,
  observe: { readonly main: () => number; readonly new: () => number },
  margin = 0.1,
): number | undefined {
  const guard = createGuardTest({ margin })
  for (let i = 1; i <= count; i++) {
    guard.observe('main', observe.main())
    if (guard.observe('new', observe.new()).isWorse) return i
  }
  return undefined
}

describe('the live guard', () => {
  it('finds a new version that always fails within a dozen pairs, and one that is as good never', () => {
    expect(alarmAfter(1000, { main: () => 1, new: () => 0 })).toBeLessThan(12)
    expect(alarmAfter(1000, { main: () => 1, new: () => 1 })).toBeUndefined()
    expect(alarmAfter(1000, { main: () => 0.9, new: () => 0.8 })).toBeUndefined() // the margin itself
    expect(alarmAfter(3000, { main: () => 0.9, new: () => 0.75 })).toBeDefined()
  })

  it('a long good time does not hide that it went bad', () => {
    let seen = 0
    const after = alarmAfter(4000, { main: () => 1, new: () => (seen++ < 1000 ? 1 : 0) })
    expect(after).toBeGreaterThan(1000)
    expect(after).toBeLessThan(1300)
  })

  it('what was found stays found, whatever comes after', () => {
    const guard = createGuardTest({ margin: 0.1 })
    for (let i = 0; i < 20; i++) {
      guard.observe('main', 1)
      guard.observe('new', 0)
    }
    const { stake } = guard.evidence()
    expect(guard.evidence().isWorse).toBe(true)
    for (let i = 0; i < 500; i++) {
      guard.observe('new', 1)
      guard.observe('main', 0)
    }
    expect(guard.evidence()).toMatchObject({ isWorse: true, stake, pairs: 520 })
  })

  it('how the two sides take turns does not matter: each has its own order', () =>
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 0.25, 0.5, 1), { maxLength: 40 }),
        fc.array(fc.constantFrom(0, 0.25, 0.5, 1), { maxLength: 40 }),
        fc.integer(),
        (ofMain, ofNew, seed) => {
          const queue: Record<Arm, number[]> = { main: [...ofMain], new: [...ofNew] }
          const [inTurn, mixed] = [createGuardTest({ margin: 0.1 }), createGuardTest({ margin: 0.1 })]
          for (const value of ofMain) inTurn.observe('main', value)
          for (const value of ofNew) inTurn.observe('new', value)
          const random = seededRandom(seed)
          while (queue.main.length + queue.new.length > 0) {
            const arm: Arm =
              queue.new.length === 0 || (queue.main.length > 0 && random() < 0.5) ? 'main' : 'new'
            mixed.observe(arm, queue[arm].shift() as number)
          }
          expect(mixed.evidence()).toEqual(inTurn.evidence())
          expect(mixed.evidence().pairs).toBe(Math.min(ofMain.length, ofNew.length))
        },
      ),
      { numRuns: 60 },
    ))

  it('more observations than it keeps are paired as they came', () => {
    const guard = createGuardTest({ margin: 0.5 })
    for (let i = 0; i < 3000; i++) guard.observe('main', i % 2)
    for (let i = 0; i < 3000; i++) guard.observe('new', i % 2)
    // Each pair is equal: were one of them shifted, half of the pairs would speak for "worse".
    expect(guard.evidence()).toMatchObject({ pairs: 3000, stake: 1, isWorse: false })
    expect(guard.evidence().new).toEqual({ count: 3000, mean: 0.5 })
  })

  it.each([0, 1, -0.1, Number.NaN])('refuses a margin and an alpha of %s', (wrong) => {
    expect(() => createGuardTest({ margin: wrong })).toThrow(/margin/)
    expect(() => createGuardTest({ margin: 0.1, alpha: wrong })).toThrow(/alpha/)
  })

  it.each([-0.1, 1.1, Number.NaN])('refuses an observation of %s', (wrong) =>
    expect(() => createGuardTest({ margin: 0.1 }).observe('new', wrong)).toThrow(/between 0 and 1/),
  )

  it('a smaller alpha takes more', () => {
    const after = (alpha: number) => {
      const guard = createGuardTest({ margin: 0.1, alpha })
      for (let i = 1; i < 100; i++) {
        guard.observe('main', 1)
        if (guard.observe('new', 0).isWorse) return i
      }
      return Number.POSITIVE_INFINITY
    }
    expect(after(0.001)).toBeGreaterThan(after(0.05))
  })
})
