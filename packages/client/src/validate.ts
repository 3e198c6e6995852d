import { checkMessages } from './chat-message.ts'
import { checkJsonObject, checkText, isObject } from './check-json.ts'
import { checkName, LIMIT } from './check-names.ts'
import { InvalidInput } from './errors.ts'
import type { ModelConfig, Template } from './prompt.ts'
import { lengthOf, refuse } from './refuse.ts'
import { isEmptyTemplate } from './template.ts'
import type { VersionDraft } from './transport.ts'
import { CONTENT_TAGS, OWN_TAGS } from './wire-keys.ts'

/** A text, or chat messages as MLflow's Python client can read them. @throws {InvalidInput} */
export function checkTemplate(template: unknown, field = 'template'): asserts template is Template {
  if (typeof template === 'string') checkText(template, field)
  else if (Array.isArray(template)) checkMessages(template, field)
  else refuse(field, template, 'a text, or a list of chat messages')
  const length = lengthOf(typeof template === 'string' ? template : JSON.stringify(template))
  if (length > LIMIT.text) {
    throw new InvalidInput(`${field} has ${length} characters; at most ${LIMIT.text} are allowed`)
  }
  if (isEmptyTemplate(template as Template)) {
    throw new InvalidInput(
      `${field} is empty; it must hold some text, because an empty prompt is never served`,
    )
  }
}

/** MLflow's checks of the fields that it knows; further fields may hold any JSON. @throws {InvalidInput} */
export function checkModelConfig(config: unknown, field = 'modelConfig'): asserts config is ModelConfig {
  checkJsonObject(config, field)
  const whole = (v: unknown) => Number.isInteger(v) && (v as number) > 0
  const number = (v: unknown): v is number => typeof v === 'number'
  const rules: Record<string, readonly [isValid: (value: unknown) => boolean, allowed: string]> = {
    provider: [(v) => typeof v === 'string', 'a text'],
    model_name: [(v) => typeof v === 'string', 'a text'],
    temperature: [(v) => number(v) && v >= 0, 'a number of at least 0'],
    max_tokens: [whole, 'a whole number above 0'],
    top_p: [(v) => number(v) && v >= 0 && v <= 1, 'a number from 0 to 1'],
    top_k: [whole, 'a whole number above 0'],
    frequency_penalty: [number, 'a number'],
    presence_penalty: [number, 'a number'],
    stop_sequences: [(v) => Array.isArray(v) && v.every((s) => typeof s === 'string'), 'a list of texts'],
  }
  for (const [key, [isValid, allowed]] of Object.entries(rules)) {
    if (config[key] !== undefined && !isValid(config[key])) refuse(`${field}.${key}`, config[key], allowed)
  }
}

/** Tags of a version that a caller may set. @throws {InvalidInput} also for those that hold the content */
export function checkTags(tags: unknown, field = 'tags'): asserts tags is Record<string, string> {
  if (!isObject(tags)) refuse(field, tags, 'an object of texts')
  for (const [key, value] of Object.entries(tags)) {
    const stable = !/(^|\/)\.{0,2}(\/|$)/.test(key)
    if (!/^[/\p{L}\p{N}_.\- :]+$/u.test(key) || !stable || lengthOf(key) > LIMIT.tagKey) {
      refuse(
        `${field} key`,
        key,
        `letters, digits and _ . - : / space, at most ${LIMIT.tagKey}, not like a path`,
      )
    }
    if (CONTENT_TAGS.has(key) || OWN_TAGS.has(key)) refuse(`${field} key`, key, 'a key that is not reserved')
    if (typeof value !== 'string') refuse(`${field}["${key}"]`, value, 'a text')
    checkText(value, `${field}["${key}"]`)
    if (lengthOf(value) > LIMIT.tagValue)
      refuse(`${field}["${key}"]`, value, `at most ${LIMIT.tagValue} characters`)
  }
}

/**
 * Checks everything that a caller gives for a new version, before the first request.
 * @returns A copy that the caller can no longer change, without keys that are `undefined`.
 * @throws {InvalidInput}
 */
export function checkDraft(draft: unknown): VersionDraft {
  if (!isObject(draft)) refuse('draft', draft, 'an object { name, template, … }')
  const { name, template, modelConfig, responseFormat, commitMessage, description, tags } =
    draft as Partial<VersionDraft>
  checkName(name)
  checkTemplate(template)
  if (modelConfig !== undefined) checkModelConfig(modelConfig)
  if (responseFormat !== undefined) checkJsonObject(responseFormat, 'responseFormat')
  checkFits(modelConfig, 'modelConfig')
  checkFits(responseFormat, 'responseFormat')
  if (commitMessage !== undefined) checkNote(commitMessage, 'commitMessage')
  if (description !== undefined) checkNote(description, 'description')
  if (tags !== undefined) checkTags(tags)
  const given = { name, template, modelConfig, responseFormat, commitMessage, description, tags }
  return JSON.parse(JSON.stringify(given)) as VersionDraft
}

/** Bundled texts, whole. @throws {InvalidInput} naming the prompt */
export function checkDrafts(drafts: ReadonlyMap<string, VersionDraft>): ReadonlyMap<string, VersionDraft> {
  for (const [name, draft] of drafts) {
    try {
      checkDraft(draft)
    } catch (error) {
      throw new InvalidInput(`defaults["${name}"]: ${(error as Error).message}`, { cause: error })
    }
  }
  return drafts
}

/** Both are kept as a tag. */
function checkFits(value: object | undefined, field: string): void {
  const length = value === undefined ? 0 : lengthOf(JSON.stringify(value))
  if (length > LIMIT.tagValue) {
    throw new InvalidInput(`${field} has ${length} characters as JSON; at most ${LIMIT.tagValue} are allowed`)
  }
}

/** A commit message, a description, a reason. @throws {InvalidInput} */
export function checkNote(note: unknown, field: string): asserts note is string {
  if (typeof note !== 'string') refuse(field, note, 'a text')
  checkText(note, field)
  if (lengthOf(note) > LIMIT.message) refuse(field, note, `at most ${LIMIT.message} characters`)
}
