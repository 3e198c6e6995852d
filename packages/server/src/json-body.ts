import { InvalidInput } from '@promptkeep/client/protocol'

/** Deeper than any real request; what walks a value recursively is safe below it. */
const MAX_DEPTH = 100

/** @throws {InvalidInput} for bytes that are not UTF-8, which would otherwise be replaced in silence */
export function decodeUtf8(body: ArrayBuffer | Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw new InvalidInput('The request body is not UTF-8.', { cause })
  }
}

/** @returns `undefined` for text that is not JSON @throws {InvalidInput} for a value nested deeper than 100 levels */
export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  requireShallow(value)
  return value
}

/** Without recursion, or the check itself would run out of stack. */
function requireShallow(value: unknown): void {
  let level = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH)
      throw new InvalidInput(`The request body is nested deeper than ${MAX_DEPTH} levels.`)
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []))
  }
}
