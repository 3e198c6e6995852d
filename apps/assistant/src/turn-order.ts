/** Turns of one conversation, one after another: an answer is stored before the next question is. */
export interface TurnOrder {
  /**
   * Waits until the turns of `key` that came before have left, or one of `signals` ends the wait.
   * @returns Leaves; to be called once.
   */
  enter(key: string, signals: readonly AbortSignal[]): Promise<() => void>
}

export function createTurnOrder(): TurnOrder {
  const last = new Map<string, Promise<void>>()
  return {
    async enter(key, signals) {
      const before = last.get(key) ?? Promise.resolve()
      let leave = () => {}
      const mine = new Promise<void>((resolve) => {
        leave = resolve
      })
      const all = Promise.all([before, mine]).then(() => {
        if (last.get(key) === all) last.delete(key)
      })
      last.set(key, all)
      await orAborted(before, signals)
      return leave
    },
  }
}

function orAborted(wait: Promise<void>, signals: readonly AbortSignal[]): Promise<void> {
  if (signals.some(({ aborted }) => aborted)) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      for (const signal of signals) signal.removeEventListener('abort', done)
      resolve()
    }
    for (const signal of signals) signal.addEventListener('abort', done, { once: true })
    void wait.then(done)
  })
}
