/**
 * The first digest seen of each version. Creation time is part of the identity: a prompt that is deleted and made
 * anew counts from 1 again, and its version 1 may be another text.
 */
export interface DigestPins {
  /** The digest that this version had when it was first seen, which may be now. */
  first(version: { name: string; version: number; createdAt: number; digest: string }): string
}

/** @param maxPins - The oldest pin goes first. */
export function createDigestPins(maxPins: number): DigestPins {
  const pins = new Map<string, string>()
  return {
    first({ name, version, createdAt, digest }) {
      const key = `${name}/${version}/${createdAt}`
      const pinned = pins.get(key)
      if (pinned !== undefined) return pinned
      pins.set(key, digest)
      const [oldest] = pins.keys()
      if (pins.size > maxPins && oldest !== undefined) pins.delete(oldest)
      return digest
    },
  }
}
