import { InvalidInput } from '@promptkeep/client/protocol'

/**
 * An experiment's id in its one spelling (`01` is `1`).
 * @throws {InvalidInput} when it is no whole number
 */
export function experimentIdOf(text: string): string {
  if (!/^\s*[+-]?\d{1,18}\s*$/.test(text)) {
    throw new InvalidInput(`Invalid experiment ID '${text}'. Experiment ID must be a valid integer.`)
  }
  return String(BigInt(text.trim().replace(/^\+/, '')))
}
