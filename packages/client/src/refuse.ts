import { InvalidInput } from './errors.ts'

/** Any object that is no list: options and settings, which may be instances. @throws {InvalidInput} */
export function checkObject(value: unknown, field: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(field, value, 'an object')
}

/** The one sentence for bad input: which field, what was given, what is allowed. */
export function refuse(field: string, given: unknown, allowed: string): never {
  throw new InvalidInput(`${field} must be ${allowed}; got ${describe(given)}`)
}

function describe(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > 80 ? `a text of ${lengthOf(value)} characters` : JSON.stringify(value)
  }
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') {
    return String(value)
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** In characters (code points), as Python counts. */
export function lengthOf(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}

export const isAtLeast = (value: unknown, least: number): boolean =>
  typeof value === 'number' && Number.isFinite(value) && value >= least
