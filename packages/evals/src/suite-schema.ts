import { z } from 'zod'
import { CaseSource } from './dataset.ts'
import type { ScorerKind } from './scorers/define-scorer.ts'
import { SCORER_KINDS } from './scorers/kinds.ts'
import { Manifest } from './suite-manifest.ts'

/** A JSON Schema (draft 7, which every editor knows). */
export type JsonSchema = Readonly<Record<string, unknown>>

const DRAFT = 'http://json-schema.org/draft-07/schema#'

/**
 * The form of a suite's manifest, for editors and other tools. It accepts whatever this package accepts, and refuses what can be
 * seen from the form alone: that a gate's metric is one of the suite's own scorers cannot.
 */
export function suiteSchema(): JsonSchema {
  const { properties, ...rest } = schemaOf(Manifest)
  const { scorers, ...others } = properties as Readonly<Record<string, JsonSchema>>
  const lone = ['metric', 'direction', 'margin'].map((key) => ({ required: [key] }))
  return {
    $schema: DRAFT,
    title: 'An eval suite of Promptkeep',
    ...rest,
    properties: { ...others, scorers: { ...scorers, items: { oneOf: scorerEntries() } } },
    oneOf: [{ required: ['threshold'] }, { required: ['gates'], not: { anyOf: lone } }],
  }
}

/**
 * The form of a dataset in YAML or JSON. What a case may expect is what some scorer reads: which of them a suite has, and what
 * the keys are that scorers of one's own read, is not seen from the form.
 */
export function datasetSchema(): JsonSchema {
  const known = SCORER_KINDS.flatMap(({ kind, expects }) =>
    expects ? [[expects.key, { description: `Read by ${kind}`, ...schemaOf(expects.schema) }] as const] : [],
  )
  const { properties, ...rest } = schemaOf(CaseSource)
  const { expected, ...others } = properties as Readonly<Record<string, JsonSchema>>
  const expectation = { ...expected, properties: Object.fromEntries(known) }
  return {
    $schema: DRAFT,
    title: 'A dataset of Promptkeep',
    definitions: {
      case: {
        ...rest,
        properties: { ...others, expected: expectation },
        oneOf: [{ required: ['input'] }, { required: ['turns'] }],
      },
      cases: { type: 'array', minItems: 1, items: { $ref: '#/definitions/case' } },
    },
    anyOf: [
      { $ref: '#/definitions/cases' },
      {
        type: 'object',
        properties: {
          $schema: { type: 'string' },
          description: { type: 'string' },
          cases: { $ref: '#/definitions/cases' },
        },
        required: ['cases'],
        additionalProperties: false,
      },
    ],
  }
}

/** A kind's name alone where it needs no options, or the kind with its options. */
function scorerEntries(): JsonSchema[] {
  const isBare = ({ bind }: ScorerKind) => 'forCase' in bind({})
  const bare = SCORER_KINDS.filter(isBare).map(({ kind }) => kind)
  return [
    { type: 'string', enum: bare, description: 'A scorer without options: each case says what it expects' },
    ...SCORER_KINDS.map((scorer): JsonSchema => {
      const options = schemaOf(scorer.options)
      return {
        type: 'object',
        // A name with nothing after its colon has no options.
        properties: { [scorer.kind]: isBare(scorer) ? { ...options, type: ['object', 'null'] } : options },
        required: [scorer.kind],
        additionalProperties: false,
      }
    }),
  ]
}

const schemaOf = (schema: z.ZodType): JsonSchema => {
  const { $schema: _, definitions: __, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' })
  return withoutReferences(rest) as JsonSchema
}

/** Only "any JSON" refers to itself; in a schema for JSON that says nothing. */
function withoutReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutReferences)
  if (typeof value !== 'object' || value === null) return value
  if ('$ref' in value) return {}
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutReferences(one)]))
}
