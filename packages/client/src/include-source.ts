import { isObject } from './check-json.ts'
import { cutAtIncludes } from './include-statement.ts'
import type { PromptVersion, Template } from './prompt.ts'
import { textsOf } from './template-texts.ts'

/** Tag of a version that was made with includes: JSON of its `Part`s. */
export const PARTS_TAG = 'promptkeep.parts'
/** Tag of a version that was made with includes: its text as it was written; of a chat prompt as JSON. */
export const SOURCE_TAG = 'promptkeep.source_template'

/** A prompt whose text is in that of another. */
export interface Part {
  readonly name: string
  /** 0: a bundled default. */
  readonly version: number
  /** As the include names it; absent where it names none (the registry's own alias), or a version. */
  readonly alias?: string
  /** The include names a version: it never moves on. */
  readonly pinned?: true
  readonly digest: string
  /** The part that brought it along; absent where the prompt's own text includes it. */
  readonly via?: string
}

/** What a version was made of; empty for one without includes, and for a tag that somebody wrote over. */
export function partsOf(tags: Readonly<Record<string, string>>): readonly Part[] {
  const parts = Object.hasOwn(tags, PARTS_TAG) ? parse(tags[PARTS_TAG]) : undefined
  return Array.isArray(parts) && parts.every(isPart) ? parts : []
}

function isPart(given: unknown): given is Part {
  if (!isObject(given)) return false
  const { name, version, digest, alias, via } = given
  const isTextOrNone = (value: unknown) => value === undefined || typeof value === 'string'
  return (
    typeof name === 'string' &&
    Number.isInteger(version) &&
    typeof digest === 'string' &&
    [alias, via].every(isTextOrNone)
  )
}

/**
 * A version's text as it was written, with its includes: what a file holds, and what a new version is made from. Tags can
 * be copied from one version to another, so a source that cannot have become this text is none: then it is the text.
 */
export function sourceOf({ template, tags }: Pick<PromptVersion, 'template' | 'tags'>): Template {
  const tag = Object.hasOwn(tags, SOURCE_TAG) ? tags[SOURCE_TAG] : undefined
  const source = typeof template === 'string' ? tag : parse(tag)
  return canBecome(source, template) ? source : template
}

function canBecome(source: unknown, template: Template): source is Template {
  if (typeof source === 'string') return typeof template === 'string' && canHold(source, template)
  if (!Array.isArray(source) || !source.every(isObject) || typeof template === 'string') return false
  const [written, texts] = [textsOf(source as unknown as Template), textsOf(template)]
  const shape = (given: unknown) =>
    JSON.stringify(given, (key, value) =>
      ['content', 'text'].includes(key) && typeof value === 'string' ? '' : value,
    )
  return (
    shape(source) === shape(template) && written.every(({ text }, i) => canHold(text, texts[i]?.text ?? ''))
  )
}

/** Whether what stands around the includes is in the text, in its order. */
function canHold(source: string, text: string): boolean {
  const literals = literalsOf(source)
  if (literals === undefined) return false
  const [first = '', ...rest] = literals
  const last = rest.pop()
  if (last === undefined) return source === text
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const literal of rest) {
    const next = text.indexOf(literal, at)
    if (next < 0) return false
    at = next + literal.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}

function literalsOf(source: string): string[] | undefined {
  try {
    return cutAtIncludes(source).literals
  } catch {
    return undefined
  }
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
