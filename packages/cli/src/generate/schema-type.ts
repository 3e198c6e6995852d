import type { Json, JsonObject } from '@promptkeep/client'
import { docComment, propertyKey, quote } from './source-text.ts'

/** Where the types of a schema's definitions are put. */
export interface SchemaScope {
  /** The root of the schema: what its references start from. */
  readonly root: JsonObject
  /** The name of the type that a reference means; whoever asks first has it declared. */
  nameOf(reference: string): string
}

/** Deeper is `unknown`: nobody writes it by hand, and a compiler has limits of its own. */
const MAX_DEPTH = 50

/**
 * The TypeScript type of what a JSON Schema describes, never narrower than that: what a type cannot say (ranges,
 * formats, `not`, `if`) is left out, what is not understood is `unknown`. Read-only through and through.
 */
export function schemaType(schema: Json | undefined, scope: SchemaScope, indent = '', depth = 0): string {
  if (schema === false) return 'never'
  if (!isJsonObject(schema) || depth > MAX_DEPTH) return 'unknown'
  const inner = (of: Json | undefined, at = indent) => schemaType(of, scope, at, depth + 1)
  const parts: string[] = []
  if (typeof schema.$ref === 'string') parts.push(referenceType(schema.$ref, scope))
  if ('const' in schema) parts.push(literalType(schema.const, depth))
  else if (isList(schema.enum)) parts.push(union(schema.enum.map((value) => literalType(value, depth))))
  else parts.push(...ownType(schema, inner, indent))
  for (const key of ['anyOf', 'oneOf'] as const) {
    const choices = schema[key]
    if (isList(choices)) parts.push(union(choices.map((choice) => inner(choice))))
  }
  if (isList(schema.allOf)) parts.push(...schema.allOf.map((one) => inner(one)))
  const type = intersection(parts)
  return schema.nullable === true && type !== 'unknown' ? union([type, 'null']) : type
}

/** A definition of the same schema; `unknown` for any other address. */
export function resolveReference(root: JsonObject, reference: string): Json | undefined {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined
  let at: Json | undefined = root
  for (const part of reference.split('/').slice(1)) {
    const key = decode(part)
    at = isJsonObject(at) && Object.hasOwn(at, key) ? at[key] : undefined
  }
  return at
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return part
  }
}

const referenceType = (reference: string, scope: SchemaScope) =>
  resolveReference(scope.root, reference) === undefined ? 'unknown' : scope.nameOf(reference)

type Inner = (schema: Json | undefined, indent?: string) => string

/** What `type` says, or what its keywords say where it is left out. */
function ownType(schema: JsonObject, inner: Inner, indent: string): string[] {
  const { type } = schema
  const types = isList(type) ? type : [type ?? guessType(schema)]
  const made = types.map((one) => {
    switch (one) {
      case 'string':
      case 'boolean':
      case 'null':
        return one
      case 'number':
      case 'integer':
        return 'number'
      case 'array':
        return arrayType(schema, inner)
      case 'object':
        return objectType(schema, inner, indent)
      default:
        return 'unknown'
    }
  })
  return [union(made)]
}

function guessType({ properties, required, additionalProperties, items, prefixItems }: JsonObject) {
  if (properties !== undefined || required !== undefined || additionalProperties !== undefined)
    return 'object'
  return items === undefined && prefixItems === undefined ? undefined : 'array'
}

function arrayType({ items, prefixItems, minItems, additionalItems }: JsonObject, inner: Inner): string {
  const first = isList(prefixItems) ? prefixItems : isList(items) ? items : undefined
  if (first === undefined) return `readonly ${parenthesized(inner(items))}[]`
  const rest = isList(items) ? additionalItems : items
  const least = typeof minItems === 'number' ? minItems : 0
  const elements = first.map((item, i) => (i < least ? inner(item) : `${parenthesized(inner(item))}?`))
  if (rest !== false) elements.push(`...${parenthesized(inner(rest))}[]`)
  return `readonly [${elements.join(', ')}]`
}

function objectType(schema: JsonObject, inner: Inner, indent: string): string {
  const { additionalProperties, patternProperties } = schema
  const properties = isJsonObject(schema.properties) ? schema.properties : {}
  const required = isList(schema.required) ? schema.required.filter((key) => typeof key === 'string') : []
  const names = [...new Set([...Object.keys(properties), ...required])]
  const hasOthers = isJsonObject(additionalProperties) || isJsonObject(patternProperties)
  if (names.length === 0) {
    if (additionalProperties === false && !hasOthers) return 'Readonly<Record<string, never>>'
    return `{ readonly [key: string]: ${isJsonObject(patternProperties) ? 'unknown' : inner(additionalProperties)} }`
  }
  const deeper = `${indent}  `
  const lines = names.map((name) => {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined
    const said = isJsonObject(property) ? property.description : undefined
    const comment = docComment(typeof said === 'string' ? said : undefined, deeper)
    const mark = required.includes(name) ? '' : '?'
    return `${comment}${deeper}readonly ${propertyKey(name)}${mark}: ${inner(property, deeper)}\n`
  })
  const own = `{\n${lines.join('')}${indent}}`
  return hasOthers ? intersection([own, '{ readonly [key: string]: unknown }']) : own
}

/** The type of exactly this value. */
function literalType(value: Json | undefined, depth: number): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'number'
  if (value === undefined || depth > MAX_DEPTH) return 'unknown'
  if (isList(value)) return `readonly [${value.map((item) => literalType(item, depth + 1)).join(', ')}]`
  const members = Object.entries(value).map(
    ([key, item]) => `readonly ${propertyKey(key)}: ${literalType(item, depth + 1)}`,
  )
  return members.length === 0 ? 'Readonly<Record<string, never>>' : `{ ${members.join('; ')} }`
}

/** Of nothing: `never`. */
function union(types: readonly string[]): string {
  const distinct = [...new Set(types)]
  if (distinct.includes('unknown')) return 'unknown'
  return distinct.length === 0
    ? 'never'
    : distinct.length === 1
      ? (distinct[0] as string)
      : distinct.join(' | ')
}

/** Of nothing: `unknown`. */
function intersection(types: readonly string[]): string {
  const distinct = [...new Set(types)].filter((type) => type !== 'unknown')
  if (distinct.length <= 1) return distinct[0] ?? 'unknown'
  return distinct.map(parenthesized).join(' & ')
}

/** One word, or one pair of braces, needs none. A wrong guess costs two characters. */
const parenthesized = (type: string): string =>
  /^[\w.]+$/.test(type) || /^'(?:[^'\\]|\\.)*'$/.test(type) || /^\{[^{}]*\}$/.test(type) ? type : `(${type})`

const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value)

export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
