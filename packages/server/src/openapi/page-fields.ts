import type { JsonSchema } from './json-schema.ts'

export type Schemas = Readonly<Record<string, JsonSchema>>

export interface FieldRow {
  readonly name: string
  readonly required: boolean
  readonly schema: JsonSchema
}

/** Follows a `$ref` to a component; what stands beside it (a description) wins. */
export function resolved(schema: JsonSchema, schemas: Schemas): JsonSchema {
  const { $ref, ...beside } = schema
  const target = $ref === undefined ? undefined : schemas[$ref.slice('#/components/schemas/'.length)]
  return target === undefined ? schema : { ...resolved(target, schemas), ...beside }
}

/** The fields of an object; of an alternative those of all its objects, each required where all require it. */
export function rowsOf(schema: JsonSchema, schemas: Schemas): FieldRow[] {
  const { properties = {}, required = [], allOf, anyOf, oneOf } = resolved(schema, schemas)
  const own = Object.entries(properties).map(([name, field]) => ({
    name,
    required: required.includes(name),
    schema: field,
  }))
  const together = (allOf ?? []).flatMap((one) => rowsOf(one, schemas))
  const choices = (anyOf ?? oneOf ?? []).map((one) => rowsOf(one, schemas))
  const either = choices.flat().map((row) => ({
    ...row,
    required: choices.every((rows) => rows.some(({ name, required }) => name === row.name && required)),
  }))
  const all = [...own, ...together, ...either]
  return all.filter(({ name }, index) => all.findIndex((other) => other.name === name) === index)
}

/** A schema in words: its type, its limits, and what is inside that has fields of its own. */
export function typeOf(
  schema: JsonSchema,
  schemas: Schemas,
): { type: string; limits: string; inner: JsonSchema | undefined } {
  const full = resolved(schema, schemas)
  const inner = full.type === 'array' ? full.items : full
  return { type: nameOf(full, schemas), limits: limitsOf(full), inner }
}

function nameOf(schema: JsonSchema, schemas: Schemas): string {
  const { type, items, anyOf, oneOf, allOf, const: constant, enum: values } = resolved(schema, schemas)
  if (constant !== undefined) return JSON.stringify(constant)
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(', ')
  const choices = anyOf ?? oneOf
  if (choices !== undefined) return [...new Set(choices.map((one) => nameOf(one, schemas)))].join(' or ')
  if (type === 'array') return items === undefined ? 'list' : `list of ${nameOf(items, schemas)}`
  if (type === undefined) return allOf === undefined ? 'any value' : 'object'
  const names: Readonly<Record<string, string>> = {
    string: 'text',
    integer: 'whole number',
    boolean: 'true or false',
  }
  return [type]
    .flat()
    .map((one) => names[one] ?? one)
    .join(' or ')
}

function limitsOf({
  minimum,
  maximum,
  minLength,
  maxLength,
  minItems,
  maxItems,
  default: fallback,
}: JsonSchema): string {
  const range = (least: number | undefined, most: number | undefined, unit: string) => {
    if (least === undefined && most === undefined) return ''
    if (most === undefined) return `at least ${least}${unit}`
    return least === undefined ? `at most ${most}${unit}` : `${least} to ${most}${unit}`
  }
  const isSafe = (bound: number | undefined) =>
    bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER
  const said = [
    range(isSafe(minimum) ? minimum : undefined, isSafe(maximum) ? maximum : undefined, ''),
    range(minLength, maxLength, ' characters'),
    range(minItems, maxItems, ' entries'),
    fallback === undefined || fallback === '' ? '' : `default ${JSON.stringify(fallback)}`,
  ].filter((part) => part !== '')
  return said.length === 0 ? '' : `(${said.join('; ')})`
}
