/** Turns of one conversation, one after another: an answer is stored before the next question is. */
export interface TurnOrder {
  /**
   * Waits until the turns of `key` that came before have left, or `signal` ends the wait.
   * @returns Leaves; to be called once.
   */
  enter(key: string, signal: AbortSignal): Promise<() => void>
}

export function createTurnOrder(): TurnOrder {
  const last = new Map<string, Promise<void>>()
  return {
    async enter(key, signal) {
      const before = last.get(key) ?? Promise.resolve()
      let leave = () => {}
      const mine = new Promise<void>((resolve) => {
        leave = resolve
      })
      const all = Promise.all([before, mine]).then(() => {
        if (last.get(key) === all) last.delete(key)
      })
      last.set(key, all)
      await orAborted(before, signal)
      return leave
    },
  }
}

function orAborted(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
    void wait.then(done)
  })
}
