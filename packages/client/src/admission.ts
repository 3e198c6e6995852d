import { RegistryError } from './errors.ts'
import type { PromptVersion } from './prompt.ts'
import { isEmptyTemplate } from './template.ts'
import { TAG } from './wire.ts'

/** What must be true of a version before anybody is served with it. @throws {RegistryError} */
export type Admission = (version: PromptVersion) => void

/**
 * Admits versions that have a text, and are what they were when they were registered (as far as their digest tag
 * says) and when they were first seen here. Creation time is part of the identity: a prompt that is deleted and made
 * anew counts from 1 again, and its version 1 may be another text.
 *
 * @param address - Where the versions come from, for messages.
 * @param maxPins - Most first digests kept; the oldest goes first.
 */
export function createAdmission(address: string, maxPins: number): Admission {
  const pins = new Map<string, string>()

  function firstDigest({ name, version, createdAt, digest }: PromptVersion): string {
    const key = `${name}/${version}/${createdAt}`
    const pinned = pins.get(key)
    if (pinned !== undefined) return pinned
    pins.set(key, digest)
    const [oldest] = pins.keys()
    if (pins.size > maxPins && oldest !== undefined) pins.delete(oldest)
    return digest
  }

  return (version) => {
    if (!isVersion(version)) throw brokenTransport(address, 'the answer is no prompt version')
    const { name, version: number, template, tags, digest } = version
    const what = `prompt "${name}" version ${number} at ${address}`
    if (isEmptyTemplate(template)) {
      throw new RegistryError('VERSION_NOT_FOUND', `${what} has an empty text, which counts as absent`)
    }
    for (const expected of [tags[TAG.digest] ?? digest, firstDigest(version)]) {
      if (expected === digest) continue
      const said = `its digest is ${digest}, and was ${expected}`
      throw new RegistryError('DIGEST_MISMATCH', `${what} was changed after it was registered: ${said}`)
    }
  }
}

function isVersion(given: PromptVersion | null | undefined): boolean {
  const { name, version, template, tags, digest } = given ?? {}
  const hasIdentity = typeof name === 'string' && Number.isInteger(version) && typeof digest === 'string'
  const hasContent = typeof template === 'string' || Array.isArray(template)
  return hasIdentity && hasContent && typeof tags === 'object' && tags !== null
}

/** A transport that throws or answers what it must not is broken: an outage like any other. */
export function brokenTransport(address: string, cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `${address} cannot be asked: ${String(cause)}`, { cause })
}
