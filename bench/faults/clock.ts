/** A clock on the wall that can be put forward and back, for all that reads `Date` in this process from now on. */
export function shiftableClock(): (shiftMs: number) => void {
  const Real = globalThis.Date
  let shift = 0
  class Shifted extends Real {
    constructor(...given: [] | [string | number | Date]) {
      if (given.length === 0) super(Real.now() + shift)
      else super(...given)
    }
    static override now(): number {
      return Real.now() + shift
    }
  }
  globalThis.Date = Shifted as DateConstructor
  return (shiftMs) => {
    shift += shiftMs
  }
}
