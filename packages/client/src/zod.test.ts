import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { responseSchemaOf } from './response-format.ts'
import type { ResponseFormat } from './typed.ts'
import { fromResponseFormat, parseResponse, ResponseMismatch, toResponseFormat } from './zod.ts'

const Answer = z.object({
  facts: z.array(z.object({ text: z.string(), sure: z.number().min(0).max(1) })),
  mood: z.enum(['good', 'bad']).nullable(),
  'old key': z.int().optional(),
})

const prompt = <T>(responseFormat: ResponseFormat<T>) => ({ name: 'memory', version: 3, responseFormat })

function mismatch(work: () => unknown): ResponseMismatch {
  try {
    work()
  } catch (error) {
    if (error instanceof ResponseMismatch) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('toResponseFormat', () => {
  it('is the bare JSON Schema of what a model writes, with a title', () => {
    expect(toResponseFormat(Answer, { name: 'answer' })).toEqual({
      title: 'answer',
      type: 'object',
      properties: {
        facts: {
          type: 'array',
          items: {
            type: 'object',
            properties: { text: { type: 'string' }, sure: { type: 'number', minimum: 0, maximum: 1 } },
            required: ['text', 'sure'],
            additionalProperties: false,
          },
        },
        mood: { anyOf: [{ type: 'string', enum: ['good', 'bad'] }, { type: 'null' }] },
        'old key': { type: 'integer' },
      },
      required: ['facts', 'mood'],
      additionalProperties: false,
    })
  })

  it('says what goes into a transform, and leaves loose objects open', () => {
    const schema = z.object({
      day: z.string().transform((text) => new Date(text)),
      rest: z.looseObject({ a: z.string() }),
      counts: z.record(z.string(), z.number()),
    })
    const format = toResponseFormat(schema)
    expect(format).not.toHaveProperty('title')
    expect(format.properties).toMatchObject({
      day: { type: 'string' },
      rest: { additionalProperties: {} },
      counts: { type: 'object', additionalProperties: { type: 'number' } },
    })
    expectTypeOf(format).toEqualTypeOf<
      ResponseFormat<{
        day: string
        rest: { [key: string]: unknown; a: string }
        counts: Record<string, number>
      }>
    >()
  })

  it.each([
    [z.object({ a: z.string().optional() }), 'schema: a may be left out'],
    [
      z.object({ list: z.array(z.object({ b: z.string().default('x') })) }),
      'schema: list[].b may be left out',
    ],
    [
      z.object({ deep: z.object({ map: z.record(z.string(), z.string()) }) }),
      'schema: deep.map takes any keys',
    ],
    [z.object({ either: z.union([z.string(), z.looseObject({})]) }), 'schema: either takes any keys'],
  ])('refuses for strict mode what OpenAI would refuse (%#)', (schema, want) => {
    expect(() => toResponseFormat(schema, { strict: true })).toThrow(want)
    expect(() => toResponseFormat(schema)).not.toThrow()
  })

  it('takes for strict mode what is closed and required', () => {
    const schema = z.object({ a: z.string().nullable(), list: z.array(z.object({ b: z.int() })) })
    expect(toResponseFormat(schema, { strict: true })).toMatchObject({ required: ['a', 'list'] })
  })

  it('refuses what JSON has no words for', () => {
    expect(() => toResponseFormat(z.object({ at: z.date() }))).toThrow('schema: Date cannot be represented')
  })
})

describe('fromResponseFormat', () => {
  it('accepts what the schema accepted that the format was made of', () => {
    const back = fromResponseFormat(toResponseFormat(Answer))
    const good = { facts: [{ text: 'x', sure: 1 }], mood: null }
    expect(back.parse(good)).toEqual(good)
    expect(back.safeParse({ ...good, more: 1 }).success).toBe(false)
    expect(back.safeParse({ ...good, 'old key': 1.5 }).success).toBe(false)
    expectTypeOf(back).toEqualTypeOf<z.ZodType<z.input<typeof Answer>>>()
  })

  it('keeps a schema that names itself', () => {
    const Tree = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree)
      },
    })
    const back = fromResponseFormat(toResponseFormat(Tree))
    expect(back.safeParse({ name: 'a', children: [{ name: 'b', children: [] }] }).success).toBe(true)
    expect(back.safeParse({ name: 'a', children: [{ name: 'b' }] }).success).toBe(false)
  })

  it.each([
    { type: 'json_schema', json_schema: { name: 'n', strict: true, schema: { type: 'array', items: {} } } },
    { type: 'json_schema', name: 'n', schema: { type: 'array', items: {} } },
    { type: 'array', items: {} },
  ])('reads bare schemas and envelopes: %j', (format) => {
    const schema = fromResponseFormat(format)
    expect(schema.safeParse([1]).success).toBe(true)
    expect(schema.safeParse({}).success).toBe(false)
  })

  it.each([
    [{ type: 'text' }, 'holds no JSON Schema'],
    [{ type: 'json_schema' }, 'holds no JSON Schema'],
    [{ $ref: 'https://example.org/x' }, 'cannot be read: External $ref'],
    [{ if: {}, type: 'object' }, 'cannot be read: Conditional'],
  ])('refuses %j', (format, want) => {
    expect(() => fromResponseFormat(format as ResponseFormat)).toThrow(want)
  })
})

describe('responseSchemaOf', () => {
  it('takes JSON of any shape for an object', () => {
    expect(responseSchemaOf({ type: 'json_object' })).toEqual({ type: 'object' })
  })
})

describe('parseResponse', () => {
  const answered = prompt(toResponseFormat(Answer))

  it.each([
    '{"facts":[],"mood":"good"}',
    '\n {"facts":[],"mood":"good"} ',
    '```json\n{"facts":[],"mood":"good"}\n```',
    '```\n{"facts":[],\n"mood":"good"}```\n',
  ])('reads %j, typed', (text) => {
    const value = parseResponse(answered, text)
    expect(value).toEqual({ facts: [], mood: 'good' })
    expectTypeOf(value).toEqualTypeOf<z.input<typeof Answer>>()
  })

  it('names prompt, version and every place that does not fit', () => {
    const text = '{"facts":[{"text":"x","sure":2},{"sure":"0"}],"mood":"fine","old key":"1"}'
    const error = mismatch(() => parseResponse(answered, text))
    expect(error.message).toMatch(
      /^prompt "memory" version 3: the answer does not fit its response format: facts\[0\]\.sure: /,
    )
    expect(error.issues.map(({ path }) => path)).toEqual([
      'facts[0].sure',
      'facts[1].text',
      'facts[1].sure',
      'mood',
      '["old key"]',
    ])
    expect(error.issues[2]?.message).toBe('expected number, received string')
    expect(error.text).toBe(text)
  })

  it('of a choice tells what is wrong with the one that fits best', () => {
    const schema = z.object({
      of: z.union([z.string(), z.object({ kind: z.literal('a'), size: z.number() }), z.null()]),
    })
    const read = (text: string) => parseResponse(prompt(toResponseFormat(schema)), text)
    expect(mismatch(() => read('{"of":{"kind":"a","size":"x"}}')).issues).toEqual([
      { path: 'of.size', message: 'expected number, received string' },
    ])
    expect(mismatch(() => read('{"of":1}')).issues[0]?.message).toMatch(
      /^fits none of its choices \(expected string, received number; expected object, received number; /,
    )
  })

  it.each(['', 'Sure! {"facts":[]}', '{"facts":', '```json\n{}\n``` and more'])(
    'refuses %j as no JSON',
    (text) => {
      const error = mismatch(() => parseResponse(answered, text))
      expect(error.message).toContain('prompt "memory" version 3: the answer is not JSON')
      expect(error.issues).toEqual([])
    },
  )

  it('refuses a prompt without a response format', () => {
    expect(() => parseResponse({ name: 'a', version: 1 }, '{}')).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT' }),
    )
  })
})
