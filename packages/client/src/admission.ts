import { brokenTransport, InvalidInput, isRegistryError, RegistryError } from './errors.ts'
import type { PromptBody, PromptVersion } from './prompt.ts'
import { makeBody } from './prompt-body.ts'
import { isEmptyTemplate } from './template.ts'
import { TAG } from './wire-keys.ts'

/** What is served for a version that the registry answered. */
export interface Admitted {
  readonly body: PromptBody
  readonly createdAt: number
  /** `DIGEST_MISMATCH`: the version is not what it was registered, or first seen here, as. */
  readonly defect?: RegistryError
  /** `body` is what this process knew before the change; then it was last confirmed. */
  readonly knownSince?: number
}

/**
 * What must be true of a version before anybody is served with it.
 * @throws {RegistryError} absence for an empty text, `INVALID_INPUT` for one that cannot be read, `UNAVAILABLE` for an
 *   answer that is no version; when strict, `DIGEST_MISMATCH`
 */
export type Admission = (version: PromptVersion) => Promise<Admitted>

export interface AdmissionOptions {
  /** Where the versions come from, for messages. */
  readonly address: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly strict: boolean
  /** Most versions remembered; the oldest goes first. */
  readonly maxPins: number
}

interface Pin {
  readonly body: PromptBody
  readonly knownSince: number
  /** Nothing spoke against it when it was pinned. */
  readonly isSure: boolean
}

/**
 * Admits versions that have a text, and holds them to what they were when they were registered (as far as their digest
 * tag says) and when they were first seen here. Creation time is part of the identity: a prompt that is deleted and
 * made anew counts from 1 again, and its version 1 may be another text.
 *
 * On a stock MLflow a version can be rewritten. Unless strict, what this process knew before is served then; where it
 * knew nothing, what the registry says: the true digest goes with it, and `defect` says what is wrong. A bundled
 * default would be a third text that nobody chose.
 */
export function createAdmission({ address, now, strict, maxPins }: AdmissionOptions): Admission {
  const pins = new Map<string, Pin>()

  function pin(identity: string, given: Pin): void {
    pins.set(identity, given)
    const [oldest] = pins.keys()
    if (pins.size > maxPins && oldest !== undefined) pins.delete(oldest)
  }

  return async (version) => {
    if (!isVersion(version)) throw brokenTransport(address, 'that is no version')
    const { name, version: number, tags, digest, createdAt } = version
    const what = `prompt "${name}" version ${number} at ${address}`
    const body = await readBody(version, what)
    const registered = tags[TAG.digest] ?? digest
    const isSure = registered === digest
    const identity = `${name}/${number}/${createdAt}`
    const known = pins.get(identity)
    const isChanged = known !== undefined && known.body.digest !== digest && (known.isSure || !isSure)
    if (!isChanged) {
      const wasSure = known?.isSure ?? false
      if (isSure || !strict) pin(identity, { body, knownSince: now(), isSure: isSure || wasSure })
      if (isSure) return { body, createdAt }
    }
    const was = isChanged ? known.body.digest : registered
    const said = `its digest is ${digest}, and was ${was}`
    const defect = new RegistryError(
      'DIGEST_MISMATCH',
      `${what} was changed after it was registered: ${said}`,
    )
    if (strict) throw defect
    return isChanged ? { ...known, createdAt, defect } : { body, createdAt, defect }
  }
}

async function readBody(version: PromptVersion, what: string): Promise<PromptBody> {
  try {
    if (!isEmptyTemplate(version.template)) return await makeBody(version)
  } catch (cause) {
    throw isRegistryError(cause)
      ? cause
      : new InvalidInput(`${what} cannot be read: ${String(cause)}`, { cause })
  }
  throw new RegistryError('VERSION_NOT_FOUND', `${what} has an empty text, which counts as absent`)
}

function isVersion(given: PromptVersion | null | undefined): boolean {
  const { name, version, template, tags, digest } = given ?? {}
  const hasIdentity = typeof name === 'string' && Number.isInteger(version) && typeof digest === 'string'
  const hasContent = typeof template === 'string' || Array.isArray(template)
  return hasIdentity && hasContent && typeof tags === 'object' && tags !== null
}
