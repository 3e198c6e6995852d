import { createHash } from 'node:crypto'

/** What MLflow keeps of a param, of a tag of a run, and of a key; longer values are cut in silence, longer keys refused. */
export const PARAM_LIMIT = 6000
export const TAG_LIMIT = 8000
const KEY_LIMIT = 250

/**
 * A value as it can be logged. One that is too long keeps its beginning and gets the SHA-256 of the whole: two that differ
 * stay different.
 */
export function fitting(value: string, limit: number): string {
  // Counted in UTF-16 units, of which there are never fewer than MLflow's characters.
  if (value.length <= limit) return value
  const end = `… sha256:${createHash('sha256').update(value).digest('hex')}`
  const kept = value.slice(0, limit - end.length).replace(/[\ud800-\udbff]$/, '')
  return `${kept}${end}`
}

/** Whether `key` can be a key of MLflow's. No slash: to MLflow a key is a path, and must stay the one that it is. */
export const isKey = (key: string): boolean => key.length <= KEY_LIMIT && /^[\p{L}\p{N}_.: -]+$/u.test(key)
