export interface Mutex {
  /** Waits for its turn, first come first served. @returns Ends the turn; calling it twice is harmless. */
  acquire(): Promise<() => void>
  run<T>(work: () => T): Promise<T>
}

/** Turns within one process. */
export function createMutex(): Mutex {
  let last: Promise<void> = Promise.resolve()

  async function acquire() {
    const before = last
    let release = () => {}
    last = new Promise<void>((resolve) => {
      release = resolve
    })
    await before
    return release
  }
  return {
    acquire,
    async run(work) {
      const release = await acquire()
      try {
        return work()
      } finally {
        release()
      }
    },
  }
}
