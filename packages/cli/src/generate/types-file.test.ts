import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject } from '@promptkeep/client'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tsc, writeApp } from '../../../../tests/support/tsc.ts'
import { commandLine, docComment, quote, typeName } from './source-text.ts'
import { type TypedPrompt, typesFile } from './types-file.ts'

const PLAIN: TypedPrompt = { name: 'plain', kind: 'text', aliases: ['production'], variables: [] }
const value = (name: string, required = true) => ({ name, required, kind: 'value' as const })

async function compile(files: Readonly<Record<string, string>>) {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-file-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  await writeApp(dir, files)
  return tsc(dir)
}

/** What tries to end the string, comment or line that it stands in. */
const HOSTILE = [
  '*/ export const evil = 1 /*',
  "'; export const evil = 1; '",
  '`\u0024{1}`',
  '\\',
  "\\'",
  'a\nexport const evil = 1',
  'a\r\nexport const evil = 1',
  'a\u2028export const evil = 1',
  'a\u2029export const evil = 1',
  '@ts-ignore',
  '* @ts-expect-error',
  '// @ts-nocheck',
  '\u202Eevil\u202C',
  '\uD800',
  '</script>',
  '__proto__',
  'constructor',
  '',
]

describe('a file of hostile texts', { timeout: 60_000 }, () => {
  it('declares what it should, and nothing else, and compiles', async () => {
    const prompts = HOSTILE.map(
      (text, i): TypedPrompt => ({
        name: `${text} ${i}`,
        description: text,
        kind: 'text',
        aliases: [text],
        variables: [value(text === '' ? 'x' : text.replaceAll('.', ''))],
        schema: {
          type: 'object',
          description: text,
          properties: {
            [text]: { const: text, description: text },
            ref: { $ref: `#/$defs/${encodeURIComponent('d')}` },
          },
          required: [text],
          $defs: { d: { enum: [text, { [text]: [text] }] } },
        },
      }),
    )
    const text = typesFile(prompts, commandLine(['npx', ...HOSTILE]))
    const uses = HOSTILE.map(
      (hostile, i) =>
        `export const a${i}: Prompts[${JSON.stringify(`${hostile} ${i}`)}]['aliases'] = ${JSON.stringify(hostile)}\n`,
    )
    // `bad` is an error: a text that turned checks off would hide it.
    const { said, errors } = await compile({
      'src/prompts.gen.ts': `${text}\nexport const bad: number = ''\n`,
      'src/uses.ts': `import type { Prompts } from './prompts.gen.ts'\n${uses.join('')}`,
    })
    expect(
      errors.map(({ file, code }) => [file, code]),
      said,
    ).toEqual([['src/prompts.gen.ts', 'TS2322']])
    const declared = Array.from(text.matchAll(/^export (.*?) =/gm), ([, what]) => what)
    expect(declared).toHaveLength(4 + 2 * HOSTILE.length)
    expect(declared.every((what) => /^type \w+(<Name extends PromptName>)?$/.test(what ?? ''))).toBe(true)
    expect(text).not.toMatch(/[\u2028\u2029\u202E]|[\uD800-\uDFFF]/)
  })

  it('keeps any text in its string and its comment', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        const literal = quote(text)
        expect(literal).toMatch(/^'(?:[^'\\\n\r]|\\.)*'$/)
        // The escapes of a string in JSON are also those of a string in TypeScript.
        expect(JSON.parse(`"${literal.slice(1, -1).replaceAll("\\'", "'").replaceAll('"', '\\"')}"`)).toBe(
          text,
        )
        const comment = docComment(text, '')
        expect(comment === '' || comment.indexOf('*/') === comment.length - 3).toBe(true)
      }),
    )
  })
})

describe('the types of a response', { timeout: 60_000 }, () => {
  const SCHEMAS: readonly (readonly [string, JsonObject, string])[] = [
    ['nothing said', {}, 'unknown'],
    ['scalars', { type: ['string', 'integer', 'null', 'boolean'] }, 'string | number | null | boolean'],
    ['nullable', { type: 'string', nullable: true }, 'string | null'],
    ['a constant', { const: 'a' }, `'a'`],
    [
      'values',
      { enum: ['a', 1, null, true, ['b'], { c: 'd' }] },
      `'a' | 1 | null | true | readonly ['b'] | { readonly c: 'd' }`,
    ],
    ['a list', { type: 'array', items: { type: ['string', 'null'] } }, 'readonly (string | null)[]'],
    ['a list of anything', { items: {}, type: 'array' }, 'readonly unknown[]'],
    [
      'a tuple',
      { type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }], minItems: 1, items: false },
      'readonly [string, number?]',
    ],
    [
      'a tuple of old drafts',
      { type: 'array', items: [{ type: 'string' }], additionalItems: { type: 'number' } },
      'readonly [string?, ...number[]]',
    ],
    [
      'keys of any name',
      { type: 'object', additionalProperties: { type: 'number' } },
      '{ readonly [key: string]: number }',
    ],
    ['no keys', { type: 'object', additionalProperties: false }, 'Readonly<Record<string, never>>'],
    ['an object', { type: 'object' }, '{ readonly [key: string]: unknown }'],
    [
      'properties without type',
      { properties: { a: {} }, required: ['a', 'b'] },
      '{\n  readonly a: unknown\n  readonly b: unknown\n}',
    ],
    [
      'both',
      { type: 'object', properties: { 'a b': { type: 'string' } }, additionalProperties: { type: 'string' } },
      `{\n  readonly 'a b'?: string\n} & { readonly [key: string]: unknown }`,
    ],
    [
      'choices',
      { anyOf: [{ type: 'string' }, { type: 'string' }, { type: 'array', items: { type: 'number' } }] },
      'string | readonly number[]',
    ],
    [
      'all of',
      { allOf: [{ properties: { a: { type: 'string' } } }, { required: ['b'] }] },
      '({\n  readonly a?: string\n}) & ({\n  readonly b: unknown\n})',
    ],
    ['one of nothing', { oneOf: [] }, 'never'],
    ['an address elsewhere', { $ref: 'https://example.org/schema' }, 'unknown'],
    ['a missing definition', { $ref: '#/$defs/none' }, 'unknown'],
    ['itself', { $ref: '#' }, 'unknown'],
    [
      'itself by a detour',
      { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }], $defs: { a: { $ref: '#' } } },
      'unknown',
    ],
  ]

  it.each(SCHEMAS)('of %s', (_, schema, want) => {
    const text = typesFile([{ ...PLAIN, schema }], 'make')
    const [, made] = /^export type PlainResponse = ([\s\S]*?)\n(?=\n|$)/m.exec(text) ?? []
    const [, inline] = /^ {4}response: (.*)$/m.exec(text) ?? []
    const normal = (type: string | undefined) => type?.replace(/\((\{[^()]*\})\)/g, '$1')
    expect(normal(made ?? inline)).toBe(normal(want))
  })

  it('compile, all of them, also those that name themselves and each other', async () => {
    const prompts = SCHEMAS.map(([name, schema]): TypedPrompt => ({ ...PLAIN, name, schema }))
    const tree: JsonObject = {
      type: 'object',
      properties: {
        left: { $ref: '#' },
        right: { anyOf: [{ $ref: '#/definitions/a~1b' }, { type: 'null' }] },
        map: { type: 'object', additionalProperties: { $ref: '#' } },
      },
      definitions: {
        'a/b': { type: 'array', items: { anyOf: [{ $ref: '#/definitions/a~1b' }, { $ref: '#' }] } },
      },
    }
    const text = typesFile([...prompts, { ...PLAIN, name: 'tree', schema: tree }], 'make')
    const { said } = await compile({
      'src/prompts.gen.ts': text,
      'src/uses.ts': `import type { PromptResponse } from './prompts.gen.ts'
export const tree: PromptResponse<'tree'> = { left: { right: null }, right: [[], { left: {} }], map: { a: {} } }
`,
    })
    expect(said).toBe('')
  })

  it('is as deep as a compiler takes it, however deep the schema is', async () => {
    let deep: JsonObject = { type: 'string' }
    for (let i = 0; i < 5_000; i++) deep = { type: 'array', items: deep }
    const { said } = await compile({ 'src/prompts.gen.ts': typesFile([{ ...PLAIN, schema: deep }], 'make') })
    expect(said).toBe('')
  })

  it('has a name of its own, also where two prompts would give the same', () => {
    const schema: JsonObject = { type: 'string' }
    const names = ['a-b', 'a.b', 'prompt', '1', 'ä'].map((name): TypedPrompt => ({ ...PLAIN, name, schema }))
    const text = typesFile(names, 'make')
    expect(Array.from(text.matchAll(/^export type (\w*Response\d*) =/gm), ([, name]) => name)).toEqual([
      'Type1Response',
      'ABResponse',
      'ABResponse2',
      'PromptResponse2',
      'TypeResponse',
    ])
    expect(typeName('memory-write', 'x_y')).toBe('MemoryWriteXY')
  })
})

describe('the types of values', () => {
  const of = (...variables: TypedPrompt['variables']) =>
    /variables: ([\s\S]*?)\n {4}response/
      .exec(typesFile([{ ...PLAIN, variables }], 'make'))?.[1]
      ?.replace(/\n +/g, ' ')

  it('nest what has dots, unless the whole is written as well', () => {
    expect(of(value('user.name'), value('user.age', false))).toBe(
      '{ readonly user: { readonly name: TextValue readonly age?: TextValue | undefined } }',
    )
    expect(of(value('user'), value('user.name'))).toBe(
      `{ readonly user: TextValue readonly 'user.name': TextValue }`,
    )
    expect(of({ name: 'user', required: false, kind: 'condition' }, value('user.name'))).toBe(
      '{ readonly user?: { readonly name: TextValue } | undefined }',
    )
  })

  it('of lists are those of their items', () => {
    const list = (items: TypedPrompt['variables']) => of({ name: 'l', required: true, kind: 'list', items })
    expect(list([])).toBe('{ readonly l: readonly unknown[] }')
    expect(list([value('')])).toBe('{ readonly l: readonly TextValue[] }')
    expect(list([value('a'), value('b', false)])).toBe(
      '{ readonly l: readonly { readonly a: TextValue readonly b?: TextValue | undefined }[] }',
    )
    expect(list([{ name: '', required: true, kind: 'list', items: [value('')] }])).toBe(
      '{ readonly l: readonly (readonly TextValue[])[] }',
    )
  })
})

it('is the same file whatever the order of the prompts', () => {
  const other: TypedPrompt = { ...PLAIN, name: 'other', aliases: ['b', 'a', 'b'], schema: { type: 'string' } }
  expect(typesFile([PLAIN, other], 'make')).toBe(typesFile([other, PLAIN], 'make'))
  expect(typesFile([other], 'make')).toContain(`aliases: 'a' | 'b'\n`)
})
