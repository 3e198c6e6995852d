import { checkVersion, InvalidInput, refuse } from '@promptkeep/client/protocol'
import type { Said } from '../../author.ts'
import { checkNotes } from '../stored-text.ts'

/** Headers of a request, by name in any case. */
interface Request {
  readonly req: { header(name: string): string | undefined }
}

/**
 * What MLflow's protocol has no field for: why something is changed, which run judged it, and whether that shall hold
 * against the alias's policy. @throws {InvalidInput}
 */
export function saidIn({ req }: Request): Said {
  const reason = decoded('Promptkeep-Reason', req.header('Promptkeep-Reason'))
  const evidence = decoded('Promptkeep-Evidence', req.header('Promptkeep-Evidence'))
  const force = req.header('Promptkeep-Force')?.trim().toLowerCase()
  if (force !== undefined && force !== 'true' && force !== 'false')
    refuse('The header Promptkeep-Force', force, 'true or false')
  return { reason, evidence, force: force === undefined ? undefined : force === 'true' }
}

/** Headers hold ASCII, so a text is percent-encoded UTF-8; one without a `%` is as it is. */
function decoded(name: string, sent: string | undefined): string | undefined {
  if (sent === undefined) return undefined
  if (/[^\x20-\x7e]/.test(sent))
    throw new InvalidInput(
      `The header ${name} must be percent-encoded UTF-8, as encodeURIComponent and urllib.parse.quote write it.`,
    )
  const text = decode(sent)
  if (text === undefined)
    throw new InvalidInput(`The header ${name} is no percent-encoded UTF-8: got ${JSON.stringify(sent)}`)
  checkNotes({ [`The header ${name}`]: text })
  return text
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/**
 * Compare-and-set: the version that an alias must be at (`If-Match: "3"`), or `null` for one that must be unset
 * (`If-None-Match: *`). @throws {InvalidInput}
 */
export function expectedIn({ req }: Request): number | null | undefined {
  const match = req.header('If-Match')
  const noneMatch = req.header('If-None-Match')
  if (match !== undefined && noneMatch !== undefined)
    throw new InvalidInput('If-Match and If-None-Match contradict each other; send one of them.')
  if (noneMatch !== undefined) {
    if (noneMatch.trim() !== '*')
      refuse('The header If-None-Match', noneMatch, '*, for an alias that is not set')
    return null
  }
  if (match === undefined) return undefined
  const [, digits] = /^\s*"(\d{1,10})"\s*$/.exec(match) ?? []
  if (digits === undefined)
    refuse('The header If-Match', match, 'the version number that the alias is at, in double quotes')
  const version = Number(digits)
  checkVersion(version, 'The version in If-Match')
  return version
}
