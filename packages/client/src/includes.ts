/**
 * Parts of prompts: `{% include "name@alias" %}` in the text of one stands for the text of another. It is expanded when a
 * version is registered, so that every client, Python's too, reads the same text.
 * @module
 */
import { LIMIT } from './check-names.ts'
import { digestOf, type PromptContent } from './digest.ts'
import { hasCode, InvalidInput, isAbsence } from './errors.ts'
import { PARTS_TAG, type Part, partsOf, SOURCE_TAG } from './include-source.ts'
import { cutAtIncludes, hasIncludes, type Include, IncludeError } from './include-statement.ts'
import type { PromptVersion, Template } from './prompt.ts'
import type { Reference } from './reference.ts'
import { lengthOf } from './refuse.ts'
import { isTextPart } from './template-texts.ts'
import type { VersionDraft } from './transport.ts'

export { PARTS_TAG, type Part, partsOf, SOURCE_TAG, sourceOf } from './include-source.ts'
export { hasIncludes, type Include, IncludeError, includesOf } from './include-statement.ts'

/** A version that can be a part. `digest` and `tags` as a registry says them. */
export type Includable = Pick<PromptVersion, 'name' | 'version' | 'digest' | 'tags'> & PromptContent
/** Answers a reference; one without alias and version means the registry's own alias. @throws absence */
export type FindPart = (reference: Reference) => Promise<Includable>

export interface Expanded {
  readonly template: Template
  /** Each once, in the order of their first appearance. */
  readonly parts: readonly Part[]
}

/**
 * Puts the texts of parts where they are included, as they are: their variables become those of the template. Parts that
 * include others are registered with those in them; parts that hold a statement nevertheless are expanded, too.
 *
 * @param name - Of the prompt, which no part may include.
 * @throws {IncludeError} for a part that does not exist or is no text, and for a circle
 * @throws {InvalidInput} for a text that gets too long
 */
export async function expandIncludes(name: string, template: Template, find: FindPart): Promise<Expanded> {
  const parts = new Map<string, Part>()
  const found = new Map<string, Promise<Includable>>()
  const note = (part: Part) => {
    const { via = '', alias = '', pinned = false, version } = part
    const key = JSON.stringify([part.name, version, alias, pinned, via])
    if (!parts.has(key)) parts.set(key, part)
  }

  function look(reference: Reference): Promise<Includable> {
    const key = JSON.stringify(reference)
    const asked = found.get(key) ?? find(reference)
    found.set(key, asked)
    return asked
  }

  async function expandText(text: string, path: readonly string[]): Promise<string> {
    const { literals, includes } = cutAtIncludes(text)
    let expanded = literals[0] as string
    for (const [i, include] of includes.entries()) {
      expanded += `${await textOf(include, path)}${literals[i + 1]}`
      if (expanded.length > 2 * LIMIT.text) tooLong(name, expanded)
    }
    return expanded
  }

  async function textOf(include: Include, path: readonly string[]): Promise<string> {
    const { reference } = include
    const refuseCircle = (inner: string) => {
      const circle = [...path, reference.name, ...(inner === reference.name ? [] : [inner])].join(' -> ')
      throw new IncludeError(include, `a prompt cannot include itself: ${circle}`)
    }
    if (path.includes(reference.name)) refuseCircle(reference.name)
    const part = await look(reference).catch((cause: unknown) => {
      if (!isAbsence(cause) && !hasCode(cause, 'INVALID_INPUT')) throw cause
      throw new IncludeError(include, (cause as Error).message, { cause })
    })
    if (typeof part.template !== 'string')
      throw new IncludeError(include, 'a chat prompt cannot be part of a text')
    const via = path.length > 1 ? path.at(-1) : undefined
    const isExpanded = !hasIncludes(part.template)
    // Where the part is noted is before its own parts.
    const placed = {
      name: part.name,
      version: part.version,
      ...(reference.alias !== undefined && { alias: reference.alias }),
      ...(reference.version !== undefined && { pinned: true as const }),
      digest: part.digest,
      ...(via !== undefined && { via }),
    }
    if (isExpanded) {
      note(placed)
      for (const inner of partsOf(part.tags)) {
        if (path.includes(inner.name)) refuseCircle(inner.name)
        note({ ...inner, via: inner.via ?? part.name })
      }
      return part.template
    }
    const text = await expandText(part.template, [...path, part.name])
    note({ ...placed, digest: await digestOf({ ...part, template: text }) })
    return text
  }

  const expanded = await mapTexts(template, (text) => expandText(text, [name]))
  tooLong(name, typeof expanded === 'string' ? expanded : JSON.stringify(expanded))
  return { template: expanded, parts: [...parts.values()] }
}

function tooLong(name: string, text: string): void {
  const length = lengthOf(text)
  if (length <= LIMIT.text) return
  throw new InvalidInput(
    `the text of "${name}" has ${length} characters with what it includes; at most ${LIMIT.text} are allowed`,
  )
}

async function mapTexts(template: Template, change: (text: string) => Promise<string>): Promise<Template> {
  if (typeof template === 'string') return change(template)
  const messages = []
  for (const message of template) {
    const { content } = message
    if (typeof content === 'string') messages.push({ ...message, content: await change(content) })
    else if (!content) messages.push(message)
    else {
      const changed = []
      for (const part of content)
        changed.push(isTextPart(part) ? { ...part, text: await change(part.text) } : part)
      messages.push({ ...message, content: changed })
    }
  }
  return messages
}

/**
 * A draft as it is registered: expanded, with tags that say its parts and how it was written. One without includes is
 * given back as it is.
 * @throws as {@link expandIncludes}
 */
export async function expandDraft(draft: VersionDraft, find: FindPart): Promise<VersionDraft> {
  const { name, template } = draft
  if (!hasIncludes(template)) return draft
  const expanded = await expandIncludes(name, template, find)
  const source = typeof template === 'string' ? template : JSON.stringify(template)
  if (lengthOf(source) > LIMIT.tagValue) tooLong(name, source)
  return {
    ...draft,
    template: expanded.template,
    tags: { ...draft.tags, [PARTS_TAG]: JSON.stringify(expanded.parts), [SOURCE_TAG]: source },
  }
}

/**
 * Bundled texts that stand alone: an include means another of them, by whatever alias.
 * @param only - Expands this one, and answers it alone.
 * @throws {InvalidInput} naming the default: one that includes what is not bundled, or a version
 */
export async function expandDefaults(
  drafts: ReadonlyMap<string, VersionDraft>,
  only?: string,
): Promise<ReadonlyMap<string, VersionDraft>> {
  async function find({ name, version }: Reference): Promise<Includable> {
    const draft = drafts.get(name)
    if (!draft) throw new InvalidInput(`there is no default "${name}", and a default includes defaults only`)
    if (version !== undefined) throw new InvalidInput('a bundled default has no versions; name it alone')
    return { ...draft, version: 0, digest: await digestOf(draft), tags: draft.tags ?? {} }
  }
  const wanted = [...drafts].filter(([name]) => only === undefined || name === only)
  const expanded = wanted.map(async ([name, draft]) => {
    try {
      return [name, await expandDraft(draft, find)] as const
    } catch (cause) {
      throw new InvalidInput(`defaults["${name}"]: ${(cause as Error).message}`, { cause })
    }
  })
  return new Map(await Promise.all(expanded))
}
