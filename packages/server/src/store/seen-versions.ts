import type { ModelVersion } from './store.ts'

/**
 * What look-ups found, kept while nothing at all was committed: most of them ask again for what the last one was told.
 * An answer is never older than a query's would be, because the database is asked first whether anything changed.
 */
export interface SeenVersions {
  /** `undefined` when it is not known to hold still. */
  get(name: string, alias: string): Promise<ModelVersion> | undefined
  /** Reads it, and keeps what was found if nothing changes meanwhile. */
  keep(
    name: string,
    alias: string,
    read: () => Promise<ModelVersion | undefined>,
  ): Promise<ModelVersion | undefined>
}

/** Characters of the tags, where the texts are, that are kept at most. */
const MAX_SIZE = 8_000_000

/**
 * @param stamp - As that of the database; while it is `undefined` nothing is kept.
 * @param maxSize - Characters of text that are kept at most
 */
export function createSeenVersions(stamp: () => unknown, maxSize = MAX_SIZE): SeenVersions {
  const seen = new Map<string, Promise<ModelVersion>>()
  let of: unknown
  let size = 0

  function forget(): void {
    seen.clear()
    size = 0
  }

  return {
    get(name, alias) {
      const now = stamp()
      if (now !== of) {
        forget()
        of = now
      }
      return seen.get(keyOf(name, alias))
    },

    async keep(name, alias, read) {
      const before = of
      const found = await read()
      if (found === undefined || before === undefined || before !== of) return found
      const more = sizeOf(found)
      if (size + more > maxSize) forget()
      if (more > maxSize) return found
      size += more
      seen.set(keyOf(name, alias), Promise.resolve(found))
      return found
    },
  }
}

const keyOf = (name: string, alias: string) => `${name.length} ${name}${alias}`

/** With what is around the text: an entry without any is not free. */
const sizeOf = ({ tags }: ModelVersion) =>
  Object.entries(tags).reduce((sum, [key, value]) => sum + key.length + value.length, 500)
