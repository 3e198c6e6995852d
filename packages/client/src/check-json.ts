import { InvalidInput } from './errors.ts'
import type { JsonObject } from './prompt.ts'
import { refuse } from './refuse.ts'

/** Deeper than any real schema; a cycle ends here. */
const MAX_DEPTH = 64

/** @throws {InvalidInput} for what a database or another language cannot hold: U+0000 and half characters */
export function checkText(text: string, field: string): void {
  if (text.includes('\0'))
    throw new InvalidInput(`${field} holds the character U+0000, which cannot be stored`)
  if (/\p{Surrogate}/u.test(text)) {
    throw new InvalidInput(`${field} holds a lone surrogate (half of a character), which cannot be stored`)
  }
}

/** A plain object of JSON values all the way down. @throws {InvalidInput} */
export function checkJsonObject(value: unknown, field: string): asserts value is JsonObject {
  if (!isObject(value)) refuse(field, value, 'a JSON object')
  checkJson(value, field, 0)
}

function checkJson(value: unknown, field: string, depth: number): void {
  if (depth > MAX_DEPTH)
    throw new InvalidInput(`${field} is nested deeper than ${MAX_DEPTH} levels, or in a circle`)
  if (value === null || value === undefined || typeof value === 'boolean') return
  if (typeof value === 'string') checkText(value, field)
  else if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse(field, value, 'a finite number')
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      if (item === undefined) refuse(`${field}[${i}]`, item, 'a JSON value')
      checkJson(item, `${field}[${i}]`, depth + 1)
    }
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      checkText(key, `a key of ${field}`)
      checkJson(item, `${field}.${key}`, depth + 1)
    }
  } else refuse(field, value, 'a JSON value')
}

/** An object literal or the like: no array, no class instance, which JSON would silently flatten. */
export function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
