import { InvalidInput } from '@promptkeep/client/protocol'
import type { JsonSchema } from '../../openapi/json-schema.ts'

/**
 * One field of an MLflow request. MLflow's server reads JSON as protobuf does and then checks it against a table of
 * rules; a `Field` is both at once. `path` names the value in messages: `name`, `tags[0].key`.
 */
export interface Field<T> {
  /** Takes a value that was sent and is not null. @throws {InvalidInput} */
  read(value: unknown, path: string): T
  /** Stands for a value that was not sent, or sent as null. @throws {InvalidInput} for a required one */
  absent(path: string): T
  /** What a client should send, for the OpenAPI document; `read` is more lenient, as protobuf's JSON is. */
  readonly schema: JsonSchema
  /** A list: the query may name it several times, where the first value of any other field wins. */
  readonly repeated?: true
  /** `true` and `false`: a query spells them in any case. */
  readonly boolean?: true
  /** Must be spelled in snake_case: MLflow looks for a required field under that name only. */
  readonly required?: true
  /** Older name that is read when this field was not sent. */
  readonly olderName?: string
}

export type Fields = Readonly<Record<string, Field<unknown>>>

/** What a table of fields reads as. */
export type RequestOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never
}

/** Absent reads as `undefined`, which MLflow's protobuf calls "unset". */
export type Optional<T> = Field<T | undefined>

export const string: Optional<string> = {
  schema: { type: 'string' },
  read(value, path) {
    if (typeof value !== 'string') throw invalidValue(value, path)
    return wellFormed(value, path)
  },
  absent: () => undefined,
}

/** A whole number, also as a string. Beyond ±2⁵³ it is refused, because it would be changed on the way. */
export const integer: Optional<number> = {
  schema: { type: 'integer' },
  read(value, path) {
    const number = typeof value === 'string' && /^[+-]?\d+$/.test(value) ? Number(value) : value
    if (!Number.isSafeInteger(number)) throw invalidValue(value, path)
    return number as number
  },
  absent: () => undefined,
}

/** A number, also as a string; `NaN`, `Infinity` and `-Infinity` come as those strings. */
export const double: Optional<number> = {
  schema: { anyOf: [{ type: 'number' }, { enum: ['NaN', 'Infinity', '-Infinity'] }] },
  read(value, path) {
    if (value === 'NaN') return Number.NaN
    if (value === 'Infinity') return Number.POSITIVE_INFINITY
    if (value === '-Infinity') return Number.NEGATIVE_INFINITY
    const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
    const number = typeof value === 'string' && decimal.test(value) ? Number(value) : value
    if (!Number.isFinite(number)) throw invalidValue(value, path)
    return number as number
  },
  absent: () => undefined,
}

export const boolean: Optional<boolean> = {
  boolean: true,
  schema: { type: 'boolean' },
  read(value, path) {
    if (typeof value !== 'boolean') throw invalidValue(value, path)
    return value
  },
  absent: () => undefined,
}

/** An enumeration, by name or by its protobuf number (from 1). A name that is not in it reads as absent, as MLflow does. */
export const oneOf = <const N extends string>(...names: readonly N[]): Optional<N> => ({
  schema: { enum: names },
  read(value, path) {
    if (typeof value === 'number' && Number.isInteger(value)) return names[value - 1]
    if (typeof value !== 'string') throw invalidValue(value, path)
    return names.find((name) => name === value)
  },
  absent: () => undefined,
})

/** A list; absent reads as empty, because protobuf knows no difference. Unknown names of an enumeration are left out. */
export const list = <T>(item: Field<T>): Field<readonly NonNullable<T>[]> => ({
  repeated: true,
  schema: { type: 'array', items: item.schema },
  read(value, path) {
    if (!Array.isArray(value)) throw invalidValue(value, path)
    return value.flatMap((one, index) => {
      if (one === null) throw invalidValue(one, `${path}[${index}]`)
      return item.read(one, `${path}[${index}]`) ?? []
    }) as NonNullable<T>[]
  },
  absent: () => [],
})

/** A nested message. */
export const message = <F extends Fields>(fields: F): Optional<RequestOf<F>> => ({
  schema: schemaOf(fields),
  read(value, path) {
    if (!isObject(value)) throw invalidValue(value, path)
    return readFields(fields, value, `${path}.`)
  },
  absent: () => undefined,
})

/** Missing, null and the empty string are refused. `olderName` is read when the field was not sent. */
export const required = <T>(field: Optional<T>, olderName?: string): Field<T> => ({
  ...field,
  required: true,
  ...(olderName === undefined ? {} : { olderName }),
  read(value, path) {
    const read = value === '' ? undefined : field.read(value, path)
    if (read === undefined) throw missingValue(path)
    return read
  },
  absent(path) {
    throw missingValue(path)
  },
})

export const orDefault = <T>(field: Optional<T>, value: T): Field<T> => ({
  ...field,
  schema: { ...field.schema, default: value },
  read: (sent, path) => field.read(sent, path) ?? value,
  absent: () => value,
})

/** An upper bound that MLflow reports as a wrong value. */
export const atMost = <T extends number | undefined>(limit: number, field: Field<T>): Field<T> => ({
  ...field,
  schema: { ...field.schema, maximum: limit },
  read(value, path) {
    const number = field.read(value, path)
    if (number !== undefined && number > limit) throw invalidValue(value, path)
    return number
  },
})

/** `{ key, value }`, as tags and params come; what is not sent reads as "". */
export const keyValue = message({ key: orDefault(string, ''), value: orDefault(string, '') })

/** The object that {@link readFields} takes. */
export function schemaOf(fields: Fields): JsonSchema {
  const required = Object.keys(fields).filter((name) => fields[name]?.required)
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(fields).map(([name, { schema }]) => [name, schema])),
    ...(required.length === 0 ? {} : { required }),
  }
}

/** Reads a JSON object: unknown keys are ignored, camelCase spellings are understood. @throws {InvalidInput} */
export function readFields<F extends Fields>(
  fields: F,
  sent: Readonly<Record<string, unknown>>,
  prefix = '',
): RequestOf<F> {
  for (const name of Object.keys(fields)) {
    const camel = camelCase(name)
    if (camel !== name && Object.hasOwn(sent, name) && Object.hasOwn(sent, camel))
      throw new InvalidInput(`Request specifies both '${name}' and '${camel}'; provide only one of them.`)
  }
  const entries = Object.entries(fields).map(([name, field]) => {
    const value =
      own(sent, name) ?? (field.required ? own(sent, field.olderName) : own(sent, camelCase(name)))
    const path = `${prefix}${name}`
    return [name, value === undefined || value === null ? field.absent(path) : field.read(value, path)]
  })
  return Object.fromEntries(entries) as RequestOf<F>
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** MLflow's words for a value of the wrong type or beyond a bound. */
const invalidValue = (value: unknown, path: string) =>
  new InvalidInput(
    `Invalid value ${asPythonJson(value)} for parameter '${path}' supplied:  Hint: Value was of type ` +
      `'${pythonType(value)}'. See the API docs for more information about request parameters.`,
  )

/** MLflow's words for a field that must be there. */
export const missingValue = (path: string) =>
  new InvalidInput(
    `Missing value for required parameter '${path}'. See the API docs for more information about request parameters.`,
  )

/** Refuses text that one of the two databases would change in silence. @throws {InvalidInput} */
function wellFormed(text: string, path: string): string {
  const zero = text.indexOf('\0')
  const at = zero >= 0 ? zero : text.search(/\p{Surrogate}/u)
  if (at < 0) return text
  const what = at === zero ? 'U+0000' : 'a surrogate without its pair'
  throw new InvalidInput(
    `Invalid value for parameter '${path}' supplied: it has ${what} at position ${at}; every other character is allowed.`,
  )
}

/** As Python's `json.dumps(value, sort_keys=True, separators=(",", ":"))` prints it; long ones are cut. */
export function asPythonJson(value: unknown): string {
  const sorted = (_: string, one: unknown) =>
    isObject(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one
  const ascii = JSON.stringify(value, sorted).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return ascii.length > 1000 ? `${ascii.slice(0, 1000)}…` : ascii
}

function pythonType(value: unknown): string {
  if (value === null) return 'NoneType'
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float'
  return { string: 'str', boolean: 'bool', object: 'dict' }[typeof value as 'string' | 'boolean' | 'object']
}

const own = (object: Readonly<Record<string, unknown>>, key: string | undefined): unknown =>
  key !== undefined && Object.hasOwn(object, key) ? object[key] : undefined

const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
