import type { Json, JsonObject } from '@promptkeep/client'
import { isJsonObject, resolveReference, type SchemaScope, schemaType } from './schema-type.ts'
import { docComment, typeName } from './source-text.ts'

export interface ResponseTypes {
  /** Declares the types of a prompt's response. @returns the name of the whole */
  add(prompt: string, schema: JsonObject): string
  /** The declarations, in the order in which they were first needed. */
  texts(): readonly string[]
}

/** @param taken - Names that are used already. */
export function responseTypes(taken: readonly string[]): ResponseTypes {
  const names = new Set(taken)
  const texts: string[] = []

  function unique(wanted: string): string {
    let name = wanted
    for (let i = 2; names.has(name); i++) name = `${wanted}${i}`
    names.add(name)
    return name
  }

  function add(prompt: string, root: JsonObject): string {
    const known = new Map<string, string>()
    const scope: SchemaScope = {
      root,
      nameOf: (reference) =>
        known.get(reference) ??
        (endsInItself(root, reference)
          ? 'unknown'
          : declare(reference, unique(`${base}${typeName(lastPart(reference))}`))),
    }

    function declare(reference: string, name: string): string {
      known.set(reference, name)
      const at = texts.push('') - 1
      const schema = resolveReference(root, reference)
      const said = isJsonObject(schema) ? schema.description : undefined
      const comment = docComment(typeof said === 'string' ? said : undefined, '')
      texts[at] = `${comment}export type ${name} = ${schemaType(schema, scope)}\n`
      return name
    }

    const base = unique(`${typeName(prompt)}Response`)
    return endsInItself(root, '#') ? 'unknown' : declare('#', base)
  }

  return { add, texts: () => texts }
}

const lastPart = (reference: string) => reference.split('/').at(-1) ?? ''

/**
 * Whether a type would be defined as itself, or as a choice that it is one of: no compiler takes that. Within an object or
 * a list a type may name itself.
 */
function endsInItself(root: JsonObject, reference: string): boolean {
  const seen = new Set<string>()
  function reaches(schema: Json | undefined): boolean {
    if (!isJsonObject(schema)) return false
    const { $ref, anyOf, oneOf, allOf } = schema
    const inner = [anyOf, oneOf, allOf].flatMap((list) => (Array.isArray(list) ? (list as Json[]) : []))
    if (inner.some(reaches)) return true
    if (typeof $ref !== 'string') return false
    if ($ref === reference) return true
    if (seen.has($ref)) return false
    seen.add($ref)
    return reaches(resolveReference(root, $ref))
  }
  return reaches(resolveReference(root, reference))
}
