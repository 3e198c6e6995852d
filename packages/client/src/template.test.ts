import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChatMessage } from './prompt.ts'
import { formatTemplate, isEmptyTemplate, lintTemplate, type Values, variablesOf } from './templates.ts'

describe('formatTemplate', () => {
  it.each<{ rule: string; text: string; values: Values; want: string }>([
    { rule: 'fills a variable', text: 'Hi {{ name }}', values: { name: 'Ada' }, want: 'Hi Ada' },
    {
      rule: 'takes any white space inside the braces',
      text: '{{name}}{{\n name\t}}',
      values: { name: 'x' },
      want: 'xx',
    },
    { rule: 'keeps an empty value', text: '[{{ x }}]', values: { x: '' }, want: '[]' },
    {
      rule: 'fills numbers and booleans as Python spells them',
      text: '{{ n }} {{ b }} {{ i }}',
      values: { n: 0, b: false, i: 7n },
      want: '0 False 7',
    },
    { rule: 'leaves JSON braces alone', text: '{"a": {"b": 1}}', values: {}, want: '{"a": {"b": 1}}' },
    {
      rule: 'leaves what is no name alone',
      text: '{{ 1x }} {{ a b }} {{}} {{ a | upper }} {{ é }}',
      values: {},
      want: '{{ 1x }} {{ a b }} {{}} {{ a | upper }} {{ é }}',
    },
    {
      rule: 'never expands a value twice',
      text: '{{ a }}{{ b }}',
      values: { a: '{{ b }}', b: 'B' },
      want: '{{ b }}B',
    },
    {
      rule: 'takes $& and its kin literally',
      text: '{{ cost }}',
      values: { cost: "$& $1 $$ $' $`" },
      want: "$& $1 $$ $' $`",
    },
    { rule: 'fills inside a third brace', text: '{{{ a }}}', values: { a: 'x' }, want: '{x}' },
    {
      rule: 'reads a dotted name as a key',
      text: '{{ user.name }}',
      values: { 'user.name': 'Ada' },
      want: 'Ada',
    },
    {
      rule: 'reads a dotted name as a path',
      text: '{{ user.name }}',
      values: { user: { name: 'Ada' } },
      want: 'Ada',
    },
    {
      rule: 'knows no inherited names',
      text: '{{ constructor }}',
      values: { constructor: 'own' },
      want: 'own',
    },
  ])('$rule', ({ text, values, want }) => expect(formatTemplate(text, values)).toBe(want))

  it.each<{ rule: string; text: string; values: Values; code: string; says: RegExp }>([
    {
      rule: 'names every missing variable',
      text: '{{ a }} {{ b }} {{ c }}',
      values: { b: 1 },
      code: 'MISSING_VARIABLES',
      says: /"a", "c"/,
    },
    {
      rule: 'takes null for missing',
      text: '{{ a }}',
      values: { a: null },
      code: 'MISSING_VARIABLES',
      says: /"a"/,
    },
    {
      rule: 'finds nothing inherited',
      text: '{{ toString }}',
      values: {},
      code: 'MISSING_VARIABLES',
      says: /toString/,
    },
    {
      rule: 'finds nothing inherited on a path',
      text: '{{ a.length.toFixed }}',
      values: { a: {} },
      code: 'MISSING_VARIABLES',
      says: /a.length.toFixed/,
    },
    {
      rule: 'says what must be an object',
      text: '{{ user.name }} {{ user.town }} {{ a.b.c }} {{ z.y }}',
      values: { user: 'A', a: { b: 1 } },
      code: 'MISSING_VARIABLES',
      says: /^missing variables "user\.name", "user\.town", "a\.b\.c", "z\.y"; "user" must be an object with "name"; "user" must be an object with "town"; "a\.b" must be an object with "c"$/,
    },
    {
      rule: 'says what must be an object and no list, in Jinja',
      text: '{% if true %}{{ user.name }}{% endif %}',
      values: { user: ['A'] },
      code: 'MISSING_VARIABLES',
      says: /^missing variable "user\.name"; "user" must be an object with "name"$/,
    },
    {
      rule: 'says no more where an object lacks the field',
      text: '{{ user.name }}',
      values: { user: { nmae: 'A' } },
      code: 'MISSING_VARIABLES',
      says: /^missing variable "user\.name"$/,
    },
    {
      rule: 'names unknown extras and what is known',
      text: '{{ a }}',
      values: { a: 1, z: 2 },
      code: 'INVALID_INPUT',
      says: /"z".*"a"/,
    },
    {
      rule: 'refuses an object',
      text: '{{ a }}',
      values: { a: {} },
      code: 'INVALID_INPUT',
      says: /"a".*object/,
    },
    {
      rule: 'refuses a function',
      text: '{{ a }}',
      values: { a: () => 1 },
      code: 'INVALID_INPUT',
      says: /"a".*function/,
    },
    {
      rule: 'refuses Jinja that it does not know',
      text: '{% if a %}{{ a | upper }}{% endif %}',
      values: { a: 1 },
      code: 'INVALID_INPUT',
      says: /line 1, column 16: a filter .* supported are/,
    },
    {
      rule: 'refuses values that are no object',
      text: 'x',
      values: 'text' as never,
      code: 'INVALID_INPUT',
      says: /values/,
    },
  ])('$rule', ({ text, values, code, says }) => {
    expect(() => formatTemplate(text, values)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(says) }),
    )
  })

  it('renders the texts of a chat and keeps everything else as it is', () => {
    const call = { id: '1', type: 'function', function: { name: 'f', arguments: '{"x": "{{ tone }}"}' } }
    const image = { type: 'image_url', image_url: { url: 'https://x/{{ tone }}' } }
    const chat: ChatMessage[] = [
      { role: 'system', content: 'Be {{ tone }}', cache: { ttl: 5 } },
      { role: 'user', name: '{{ tone }}', content: [{ type: 'text', text: '{{ tone }}!' }, image] },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: '1', content: '' },
    ]
    const before = structuredClone(chat)
    const rendered = formatTemplate(chat, { tone: 'kind' })
    expect(rendered).toEqual([
      { role: 'system', content: 'Be kind', cache: { ttl: 5 } },
      { role: 'user', name: '{{ tone }}', content: [{ type: 'text', text: 'kind!' }, image] },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: '1', content: '' },
    ])
    expect(chat).toEqual(before)
  })

  it('names what is missing over all messages at once', () => {
    const chat = [
      { role: 'system', content: '{{ a }}' },
      { role: 'user', content: '{{ b }}' },
    ]
    expect(() => formatTemplate(chat)).toThrow(/"a", "b"/)
  })
})

const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/)
const plain = fc.string({ unit: 'grapheme' }).filter((text) => !/[{}%]/.test(text))

describe('for any text', () => {
  it('the result is the literal parts with the values between them, whatever the values hold', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('{{ a }}', '$&', '{% x %}', '$1'))
    fc.assert(
      fc.property(fc.array(fc.tuple(plain, name, value), { maxLength: 6 }), plain, (parts, tail) => {
        const values = Object.fromEntries(parts.map(([, key, text]) => [key, text]))
        const text = parts.map(([literal, key]) => `${literal}{{ ${key} }}`).join('') + tail
        const want = parts.map(([literal, key]) => literal + values[key]).join('') + tail
        expect(formatTemplate(text, values)).toBe(want)
        expect(variablesOf(text)).toEqual([...new Set(parts.map(([, key]) => key))])
      }),
    )
  })

  it('a text without a variable comes back as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', ' ', 'a', '"', '.', '$') }), (text) => {
        fc.pre(variablesOf(text).length === 0)
        expect(formatTemplate(text)).toBe(text)
      }),
    )
  })
})

describe('variablesOf', () => {
  it('lists each once, in order of first appearance', () => {
    expect(variablesOf('{{ b }} {{ a }} {{ b }} {{ c.d }}')).toEqual(['b', 'a', 'c.d'])
  })
})

describe('isEmptyTemplate', () => {
  it.each([
    ['', true],
    [' \n\t', true],
    ['x', false],
    [[], true],
    [[{ role: 'user', content: ' ' }], true],
    [[{ role: 'user', content: [{ type: 'text', text: '' }] }], true],
    [[{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }], false],
    [[{ role: 'assistant', tool_calls: [{ id: '1' }] }], false],
  ])('%j: %s', (template, want) => expect(isEmptyTemplate(template as string)).toBe(want))
})

describe('lintTemplate', () => {
  it('finds Jinja, odd braces, and differences from what is declared', () => {
    const findings = lintTemplate('{% if x %}{{ a }} {{ 1b }} {{ a }}', ['a', 'c'])
    expect(findings.map(({ kind, severity }) => `${severity} ${kind}`)).toEqual([
      'error jinja', // the if that is never closed
      'error jinja', // 1b
      'warning unused',
    ])
    expect(lintTemplate('{{ a }} {{ 1b }}', ['a', 'c']).map(({ kind }) => kind)).toEqual(['braces', 'unused'])
    expect(lintTemplate('{{ a }} {{ b }}', ['a']).map(({ message }) => message)).toEqual([
      'variable b is not declared',
    ])
  })

  it('finds nothing in a clean template', () => {
    expect(lintTemplate('{"json": {"x": "{{ a }}"}}', ['a'])).toEqual([])
    expect(lintTemplate([{ role: 'user', content: '{{ a }}' }])).toEqual([])
  })
})
