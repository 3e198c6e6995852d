import { posix } from 'node:path'
import { InvalidInput, LIMIT, TAG, VersionNotFound } from '@promptkeep/client/protocol'
import type { Tags } from '../../store/store.ts'
import { requireNoToken } from '../stored-text.ts'
import { asPythonJson } from './fields.ts'

/*
 * What MLflow's server demands of names, tags, aliases and version numbers, in its words. Lengths are counted in
 * characters, as Python does, not in UTF-16 units.
 */

/** Ours: Postgres cannot index a longer name. */
const MAX_NAME_BYTES = 2600
/** The largest version that every database can hold. */
const MAX_VERSION = 2_147_483_647
/** MLflow's columns say 5,000, but its SQLite server takes any length, and 6,000 were recorded. */
export const MAX_DESCRIPTION = 6000

/** @throws {InvalidInput} */
export function modelName(name: string, field = 'name'): string {
  if (name.trim() === '') throw new InvalidInput(`Missing value for required parameter '${field}'.`)
  if (/[/:]/.test(name))
    throw new InvalidInput(`Invalid model name '${name}'. Names cannot contain '/' or ':'.`)
  requirePathLike('name', name)
  if (Buffer.byteLength(name) > MAX_NAME_BYTES)
    throw new InvalidInput(`'${field}' exceeds the maximum length of ${MAX_NAME_BYTES} bytes`)
  return atMostLong(field, LIMIT.name, name)
}

/** A reserved name may be asked for (`latest`), but not set. @throws {InvalidInput} */
export function aliasName(alias: string): string {
  if (!/^[\p{L}\p{N}_-]*$/u.test(alias))
    throw new InvalidInput(
      `Invalid alias name: '${alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-).`,
    )
  return atMostLong('Registered model alias name', LIMIT.alias, alias)
}

/** @throws {InvalidInput} */
export function settableAlias(alias: string): string {
  aliasName(alias)
  if (alias.toLowerCase() === 'latest')
    throw new InvalidInput("'latest' alias name (case insensitive) is reserved.")
  if (/^v\p{Nd}+$/iu.test(alias)) throw new InvalidInput(`Version alias name '${alias}' is reserved.`)
  return alias
}

/**
 * A version number as MLflow sends it: text. What no database could hold is not looked for.
 * @throws {InvalidInput} when it is no whole number @throws {VersionNotFound} when there cannot be such a version
 */
export function versionNumber(name: string, version: string): number {
  if (!/^\s*[+-]?\d+\s*$/.test(version))
    throw new InvalidInput(`Parameter 'version' must be an integer, got '${version}'.`)
  const number = Number(version)
  if (!Number.isSafeInteger(number))
    throw new InvalidInput(`Parameter 'version' must be at most ${MAX_VERSION}, got '${version}'.`)
  if (number < 1 || number > MAX_VERSION) throw new VersionNotFound(name, number)
  return number
}

/** Keys of tags, params and metrics. @throws {InvalidInput} */
export function tagKey(key: string, path = 'key'): string {
  if (!/^[/\p{L}\p{N}_.\- :]*$/u.test(key))
    throw new InvalidInput(
      `Invalid value ${asPythonJson(key)} for parameter '${path}' supplied: Names may only contain alphanumerics, ` +
        'underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).',
    )
  requirePathLike(path, key)
  return key
}

/** A tag of a prompt (or plain model). @throws {InvalidInput} */
export function modelTag(key: string, value: string): void {
  atMostLong('key', LIMIT.tagKey, tagKey(key))
  atMostLong('value', LIMIT.tagValue, value)
  requireNoToken('value', value)
}

/** A tag of a version; the prompt's text is one. @throws {InvalidInput} */
export function versionTag(key: string, value: string): void {
  atMostLong('key', LIMIT.tagKey, tagKey(key))
  if (key === TAG.text && isLonger(value, LIMIT.text))
    throw new InvalidInput(`Prompt text exceeds max length of ${LIMIT.text} characters.`)
  atMostLong('value', LIMIT.tagValue, value)
  requireNoToken(key === TAG.text ? 'The text of the prompt' : 'value', value)
}

/**
 * A description, which of a prompt's version is the commit message. The change log keeps what was said before and after
 * each edit. @throws {InvalidInput}
 */
export function descriptionText<T extends string | undefined>(text: T): T {
  if (text === undefined) return text
  if (isLonger(text, MAX_DESCRIPTION))
    throw new InvalidInput(
      `'description' has ${Array.from(text).length} characters; at most ${MAX_DESCRIPTION} are allowed`,
    )
  requireNoToken('description', text)
  return text
}

/** Whether these tags make a prompt; MLflow's server asks in any case here, its search asks exactly. */
export const isPrompt = (tags: Tags): boolean => tags[TAG.isPrompt]?.toLowerCase() === 'true'

/** MLflow's four stages of a plain model's version, in any case. @throws {InvalidInput} */
export function stageName(stage: string): string {
  const known = STAGES.find((name) => name.toLowerCase() === stage.toLowerCase())
  if (known === undefined)
    throw new InvalidInput(
      `Invalid Model Version stage: ${stage}. Value must be one of ${STAGES.join(', ')}.`,
    )
  return known
}

const STAGES = ['None', 'Staging', 'Production', 'Archived'] as const

/** Names become files in some stores of MLflow, so they must not mean another one. */
function requirePathLike(field: string, name: string): void {
  const path = posix.normalize(name).replace(/(?<=.)\/$/, '')
  if (path === name && path !== '.' && !path.startsWith('..') && !path.startsWith('/')) return
  throw new InvalidInput(
    `Invalid value ${asPythonJson(name)} for parameter '${field}' supplied: Names may be treated as files in ` +
      `certain cases, and must not resolve to other names when treated as such. This name would resolve to '${path}'`,
  )
}

/** @throws {InvalidInput} */
export function atMostLong(what: string, limit: number, text: string): string {
  if (isLonger(text, limit))
    throw new InvalidInput(`'${what}' exceeds the maximum length of ${limit} characters`)
  return text
}

function isLonger(text: string, limit: number): boolean {
  if (text.length <= limit) return false
  if (text.length > 2 * limit) return true
  return [...text].length > limit
}
