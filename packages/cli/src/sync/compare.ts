/** How a file and the registry differ. */
export type SyncState = 'same' | 'file newer' | 'registry newer' | 'both changed' | 'only here' | 'only there'

/** What is known of one prompt on the three sides; digests are those of `fileDigestOf`. */
export interface Sides {
  /** Digest of the file; absent when there is none. */
  readonly file?: string | undefined
  /** Digest at the last push or pull. */
  readonly lock?: string | undefined
  /** The version behind the alias; absent when the registry has no such prompt or the prompt no such alias. */
  readonly there?: { readonly version: number; readonly digest: string; readonly seeded: boolean } | undefined
  /**
   * The newest version that holds the file's text, when it is not the one behind the alias. `waiting`: it was
   * registered after the alias moved last, so nobody has decided against it.
   */
  readonly held?: { readonly version: number; readonly waiting: boolean } | undefined
}

/**
 * The three-way comparison. Digests say whether something changed, never which text is newer, so the order of the
 * questions is the rule:
 *
 * 1. The texts are equal: `same`, whatever the lock says.
 * 2. The registry still says what the lock says: the file changed.
 * 3. A version holds the file's text: nothing would be lost. The file is newer while that version waits for the
 *    alias; else the alias went on (or was rolled back) after it.
 * 4. The registry's text was seeded, that is, it came from an earlier state of these files.
 * 5. The file still says what the lock says: the registry changed.
 * 6. Both changed; or there is no lock entry, and nothing says which one did.
 */
export function compareSides({ file, lock, there, held }: Sides): SyncState {
  if (file === undefined) return 'only there'
  if (there === undefined) return 'only here'
  if (there.digest === file) return 'same'
  if (lock === there.digest) return 'file newer'
  if (held !== undefined)
    return held.version > there.version && held.waiting ? 'file newer' : 'registry newer'
  if (there.seeded) return 'file newer'
  return lock === file ? 'registry newer' : 'both changed'
}
