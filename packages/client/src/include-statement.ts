import { InvalidInput } from './errors.ts'
import type { Template } from './prompt.ts'
import { parseReference, type Reference } from './reference.ts'
import { textsOf } from './template-texts.ts'

/** A statement in a text. */
export interface Include {
  readonly reference: Reference
  /** As it is written. */
  readonly statement: string
  /** From 1, in its text (of a chat prompt: in that message). */
  readonly line: number
}

/** An include that cannot be expanded. */
export class IncludeError extends InvalidInput {
  /** As it is written, to find it in a file. */
  readonly statement: string
  readonly line: number
  /** What is wrong with it, without the place. */
  readonly reason: string

  constructor(
    { statement, line }: Pick<Include, 'statement' | 'line'>,
    reason: string,
    options?: { readonly cause: unknown },
  ) {
    super(`line ${line}: ${statement}: ${reason}`, options)
    this.statement = statement
    this.line = line
    this.reason = reason
  }
}

const WELL_FORMED = /\{%\s*include\s+(?:"([^"\n]*)"|'([^'\n]*)')\s*%\}/g
const ANY = /\{%[-+]?\s*include\b[^\n]*?(?:%\}|$)/gm

export const hasIncludes = (template: Template): boolean =>
  textsOf(template).some(({ text }) => text.search(ANY) >= 0)

/** In their order. @throws {IncludeError} for one that is not written as it must be */
export const includesOf = (template: Template): Include[] =>
  textsOf(template).flatMap(({ text }) => cutAtIncludes(text).includes)

/** The text between includes, and the includes: one literal more than there are includes. */
export function cutAtIncludes(text: string): { readonly literals: string[]; readonly includes: Include[] } {
  const literals: string[] = []
  const includes: Include[] = []
  let end = 0
  for (const match of text.matchAll(ANY)) {
    const line = text.slice(0, match.index).split('\n').length
    const [good] = text.slice(match.index).matchAll(WELL_FORMED)
    const statement = good?.index === 0 ? good[0] : match[0]
    if (good?.index !== 0)
      throw new IncludeError({ statement, line }, 'write {% include "name@alias" %}, "name/3" or "name"')
    literals.push(text.slice(end, match.index))
    includes.push({ reference: readReference(good[1] ?? good[2], { statement, line }), statement, line })
    end = match.index + statement.length
  }
  return { literals: [...literals, text.slice(end)], includes }
}

function readReference(text: string | undefined, at: Pick<Include, 'statement' | 'line'>): Reference {
  try {
    return parseReference(text)
  } catch (cause) {
    throw new IncludeError(at, (cause as Error).message, { cause })
  }
}
