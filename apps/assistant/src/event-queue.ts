export interface EventQueue<T> extends AsyncIterable<T> {
  /** After {@link end} it is ignored: nobody listens any more. */
  push(event: T): void
  end(): void
}

/** Joins what several sources say into one sequence, to be read once. Leaving the loop early calls `onLeave`. */
export function createEventQueue<T>(onLeave: () => void): EventQueue<T> {
  const waiting: T[] = []
  let isEnded = false
  let wake = () => {}

  async function* read() {
    try {
      for (;;) {
        for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) yield event
        if (isEnded) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      if (!isEnded) onLeave()
    }
  }

  return {
    push(event) {
      if (!isEnded) waiting.push(event)
      wake()
    },
    end() {
      isEnded = true
      wake()
    },
    [Symbol.asyncIterator]: read,
  }
}
