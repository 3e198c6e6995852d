import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChatMessage } from './prompt.ts'
import { compileAny, compileTemplate as compilePlain } from './template.ts'
import {
  checkRenderable,
  formatTemplate,
  lintTemplate,
  parseTemplate,
  printTemplate,
  TemplateError,
  type VariableUse,
  variablesOf,
  variableUsesOf,
} from './templates.ts'

const RUNS = { numRuns: 10_000 }
const piece = fc.oneof(
  fc.constantFrom(
    '{{ a }}',
    '{{- b -}}',
    '{{a.b}}',
    '{# {{ x }} #}',
    '{#- c -#}',
    '\r\n',
    ' \n',
    '{',
    '}',
    '%}',
    '{%',
  ),
  fc.constantFrom('{% if a %}', '{%- if not a or b == "%}" -%}', '{% elif b %}', '{% else %}', '{% endif %}'),
  fc.constantFrom(
    '{% for x in xs %}',
    '{%+ for y in x.ys -%}',
    '{% endfor %}',
    '{{ loop.index }}',
    '{{ a | b }}',
  ),
  fc.string({ maxLength: 5 }),
)
const soup = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(''))

const fine = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '{{ a }}',
        '{{- b or "}}" -}}',
        '{# {{ x }} #}',
        '{#- c -#}',
        '\r\n',
        ' \n',
        '}',
        '%}',
        '{{a.b[0]}}',
      ),
      fc.string({ maxLength: 5 }).filter((text) => !text.includes('{')),
    ),
    { maxLength: 5 },
  )
  .map((parts) => parts.join(''))

/** Texts that nest well, so that most of them parse. */
const { nested } = fc.letrec<{ nested: string }>((tie) => ({
  nested: fc.oneof(
    { maxDepth: 3 },
    { weight: 3, arbitrary: fine },
    fc.tuple(tie('nested'), tie('nested')).map(([a, b]) => `{% if a -%}${a}{%- else %}${b}{% endif %}`),
    fc.tuple(tie('nested'), tie('nested')).map(([a, b]) => `{% for x in xs %}${a}{% endfor %}\r\n${b}`),
  ),
}))

describe('for any text', () => {
  it('that can be parsed, printing gives it back byte for byte', () => {
    let parsed = 0
    fc.assert(
      fc.property(fc.oneof(soup, { weight: 3, arbitrary: nested }), (text) => {
        try {
          const result = parseTemplate(text)
          parsed++
          expect(printTemplate(result)).toBe(text)
        } catch (error) {
          if (!(error instanceof TemplateError)) throw error
          expect(error).toMatchObject({ code: 'INVALID_INPUT', line: expect.any(Number) })
        }
      }),
      { numRuns: 20_000 },
    )
    expect(parsed).toBeGreaterThan(10_000)
  })

  it('values are never read as a template, in either grammar', () => {
    const hostile = fc.oneof(
      fc.constantFrom(
        '{{ a }}',
        '{{ b }}',
        '{% if a %}',
        '{# c #}',
        '{%- endfor %}',
        '$&',
        '$1',
        '\\1',
        '-%}',
        '\r\n',
      ),
      fc.string({ unit: 'binary' }),
    )
    const value = fc.array(hostile, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(value, value, fc.array(value, { maxLength: 3 }), (a, b, xs) => {
        expect(formatTemplate('<{{ a }}|{{b}}>', { a, b })).toBe(`<${a}|${b}>`)
        const jinja = '{% if a %}<{{ a }}{% endif %}|{% for x in xs %}[{{ x }}]{% endfor %}{{ b or a }}>'
        expect(formatTemplate(jinja, { a, b, xs })).toBe(
          `${a && `<${a}`}|${xs.map((x) => `[${x}]`).join('')}${b || a}>`,
        )
        const chat = [
          { role: 'placeholder', content: '{{ h }}' },
          { role: 'user', content: '{{ a }}' },
        ]
        const h = [{ role: 'user', content: b.replace(/[\0\p{Surrogate}]/gu, '') }]
        expect(formatTemplate(chat, { a, h })).toEqual([...h, { role: 'user', content: a }])
      }),
      RUNS,
    )
  })
})

describe('Jinja', () => {
  it.each([
    ['a\r\nb {% if x %}\r{{ x | upper }}{% endif %}', 3, 6, /a filter \(\|\)/],
    ['{% if a %}\n😀 {% if b %}', 2, 3, /never closed with {% endif %}/],
    ['{% set x = 1 %}', 1, 1, /{% set %} is not supported/],
    ['{% include "tone" %}', 1, 1, /expanded where a version is registered/],
    ['{% if a.b() %}{% endif %}', 1, 10, /a call/],
    ['{% if a %}{{ a.__class__ }}{% endif %}', 1, 16, /__/],
    [`{% if ${'('.repeat(31)}a${')'.repeat(31)} %}{% endif %}`, 1, 38, /deeper than 30/],
    [`${'{% if a %}'.repeat(17)}${'{% endif %}'.repeat(17)}`, 1, 161, /more than 16/],
    [`{% if a${' and a'.repeat(100)} %}{% endif %}`, 1, 607, /more than 100 operands/],
  ])('refuses %j, and says where', (text, line, column, reason) => {
    expect(() => parseTemplate(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', line, column, reason: expect.stringMatching(reason) }),
    )
  })

  it('names the message of a chat', () => {
    const chat = [{ role: 'user', content: [{ type: 'text', text: '{% if a %}' }] }]
    expect(() => formatTemplate(chat)).toThrow(/^template messages\[0\].content\[0\].text line 1, column 1: /)
  })

  it('reaches no prototype and runs nothing', () => {
    for (const path of ['o.constructor', 'o.toString', 'xs.length', 'xs.map', 's.length', 'o["valueOf"]'])
      expect(
        formatTemplate(`{% if ${path} %}yes{% endif %}{% if o and xs and s %}{% endif %}`, {
          o: { k: 1 },
          xs: [1],
          s: 's',
        }),
      ).toBe('')
    const spy = {
      toString: () => {
        throw new Error('called')
      },
    }
    expect(() => formatTemplate('{% if 1 %}{{ a }}{% endif %}', { a: spy })).toThrow(/"a" must be a string/)
  })

  it('reads long texts in a time that grows with their length', () => {
    const long = `{% if a %}${' '.repeat(50_000)}{{ a }}${'{ '.repeat(20_000)}{%- endif %}`
    expect(formatTemplate(long, { a: 'x' })).toHaveLength(50_001 + 39_999)
  })

  it('keeps what it cannot read loadable: only its format refuses', async () => {
    const compiled = await compileAny('{% set x = 1 %}{{ a }}')
    expect(compiled.variables).toEqual(['a'])
    expect(() => compiled.format({ a: 1 })).toThrow(/line 1, column 1: {% set %}/)
    expect(() => compilePlain('{% if a %}{% endif %}').format()).toThrow(/compileAny/)
    expect((await compileAny('{% if a %}{{ a }}{% endif %}')).format({ a: 1 })).toBe('1')
  })
})

describe('variables', () => {
  it.each([
    ['{{ b }}{{ a.c }}', ['b', 'a.c']],
    [
      '{% if user %}{{ user.name }}{% endif %}{% for x in xs %}{{ x.y }}{{ z }}{% endfor %}',
      ['user', 'user.name', 'xs', 'z'],
    ],
    ['{% for x in xs %}{{ x }}{% endfor %}{{ x }}', ['xs', 'x']],
    ['{% set x = 1 %}{{ a }}', ['a']],
  ])('of %j in order of first appearance', (text, want) => expect(variablesOf(text)).toEqual(want))

  it.each<[string, Record<string, unknown>]>([
    ['{{ a }}', { a: 'value!' }],
    ['{% if a %}{{ b }}{% endif %}', { a: 'condition', b: 'value!' }],
    ['{% if a %}{{ a }}{% endif %}', { a: 'value' }],
    ['{% if a is defined and b == 1 %}{{ a }}{{ b }}{% endif %}', { a: 'value', b: 'value' }],
    ['{% if not a %}x{% else %}{{ a }}{% endif %}', { a: 'value' }],
    ['{% if not a %}{{ a }}{% endif %}', { a: 'value!' }],
    ['{% if a or b %}{{ a }}{% endif %}', { a: 'value!', b: 'condition' }],
    ['{{ a or b }}{% if 1 %}{% endif %}', { a: 'value', b: 'value!' }],
    ['{{ a or "x" }}{% if a < 1 %}{% endif %}', { a: 'value!' }],
    ['{% if u %}{{ u.name }}{% endif %}', { u: 'condition', 'u.name': 'value!' }],
    ['{{ u.name }}{% if u %}{% endif %}', { 'u.name': 'value!', u: 'condition!' }],
    [
      '{% for x in xs %}{{ x.n }}{% if x.m %}{{ x.m }}{% endif %}{% endfor %}',
      { xs: 'list!', 'xs[].n': 'value!', 'xs[].m': 'value' },
    ],
    [
      '{% for x in xs %}{% for y in x %}{{ y }}{% endfor %}{% endfor %}',
      { xs: 'list!', 'xs[]': 'list!', 'xs[][]': 'value!' },
    ],
    ['{% if xs %}{% for x in xs %}{{ loop.index }}{% endfor %}{% endif %}', { xs: 'list' }],
    ['{% if xs[i].n %}{% endif %}', { xs: 'any!', i: 'value!' }],
  ])('of %j with what is needed', (text, want) => {
    const flat = (uses: readonly VariableUse[], prefix = ''): [string, string][] =>
      uses.flatMap(({ name, kind, required, items }) => {
        const path = prefix + (prefix && name && '.') + name
        return [[path, `${kind}${required ? '!' : ''}`], ...flat(items ?? [], `${path}[]`)] as [
          string,
          string,
        ][]
      })
    expect(Object.fromEntries(flat(variableUsesOf(text)))).toEqual(want)
  })
})

describe('a message placeholder', () => {
  const chat: ChatMessage[] = [
    { role: 'system', content: 'Be {{ tone }}' },
    { role: 'placeholder', content: '{{ history }}' },
    { role: 'user', content: '{{ q }}' },
  ]
  const history = [
    { role: 'user', content: '{{ q }}' },
    { role: 'assistant', content: null, tool_calls: [{ id: '1', function: { name: 'f', arguments: '{}' } }] },
  ]

  it('is replaced by the messages, which are copies and never filled', () => {
    const rendered = formatTemplate(chat, { tone: 'kind', q: 'why?', history })
    expect(rendered).toEqual([
      { role: 'system', content: 'Be kind' },
      ...history,
      { role: 'user', content: 'why?' },
    ])
    expect(rendered[2]).not.toBe(history[1])
    expect(formatTemplate(chat, { tone: 'kind', q: 'why?', history: [] })).toHaveLength(2)
    expect(variableUsesOf(chat).map(({ kind }) => kind)).toEqual(['value', 'messages', 'value'])
  })

  it('works beside Jinja, and as a dotted path', () => {
    const jinja = [
      { role: 'placeholder', content: '{{ past.turns }}' },
      { role: 'user', content: '{% if q %}{{ q }}{% endif %}' },
    ]
    expect(formatTemplate(jinja, { past: { turns: history.slice(0, 1) } })).toEqual([
      history[0],
      { role: 'user', content: '' },
    ])
  })

  it.each<ChatMessage>([
    { role: 'user', content: '' },
    { role: 'user', content: [{ type: 'text', text: 'x' }] },
    { role: 'assistant', tool_calls: [{ id: '1', function: { name: 'f' } }] },
    { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
    { role: 'assistant', content: null, refusal: 'no' },
    { role: 'assistant', content: null, audio: { id: 'audio_1' } },
  ])('takes %j', (message) => {
    expect(formatTemplate(chat, { tone: 'x', q: 'y', history: [message] })[1]).toEqual(message)
  })

  it('lets the own messages of a prompt lack content, as they do for Python', () => {
    expect(formatTemplate([{ role: 'user' }, ...chat], { tone: 'x', q: 'y', history: [] })[0]).toEqual({
      role: 'user',
    })
  })

  it.each([
    [undefined, 'MISSING_VARIABLES', /"history"/],
    ['text', 'INVALID_INPUT', /variable "history" must be a list of messages/],
    [
      [
        { role: 'user', content: 'x' },
        { role: '', content: 'y' },
      ],
      'INVALID_INPUT',
      /variable "history"\[1\]\.role/,
    ],
    [[{ role: 'user', content: 5 }], 'INVALID_INPUT', /variable "history"\[0\]\.content/],
    [
      [
        { role: 'user', content: '' },
        { role: 'user', contnt: 'x' },
      ],
      'INVALID_INPUT',
      /variable "history"\[1\]\.content must be a text or a list of parts, unless .*tool_calls.*; got undefined/,
    ],
    [[{ role: 'user', content: null }], 'INVALID_INPUT', /"history"\[0\]\.content .*; got null/],
    [[{ role: 'assistant', tool_calls: [] }], 'INVALID_INPUT', /"history"\[0\]\.content/],
    [[{ role: 'assistant', content: null, refusal: null }], 'INVALID_INPUT', /"history"\[0\]\.content/],
  ])('refuses %j', (given, code, says) => {
    expect(() =>
      formatTemplate(chat, { tone: 'x', q: 'y', ...(given !== undefined && { history: given }) }),
    ).toThrow(expect.objectContaining({ code, message: expect.stringMatching(says) }))
  })
})

describe('lint', () => {
  it.each([
    ['Hi {{ name }', 'braces', 'warning', 1, 4, /lacks a closing brace/],
    ['Hi\n{ name }}', 'braces', 'warning', 2, 1, /lacks an opening brace/],
    ['Hi { name }', 'braces', 'warning', 1, 4, /single braces/],
    ['Hi {name}.', 'braces', 'warning', 1, 4, /single braces/],
    ['😀 {{ name', 'braces', 'warning', 1, 3, /{{ is never closed/],
    ['{{ a b }}', 'braces', 'warning', 1, 1, /not a variable name/],
    ['{% if a', 'braces', 'warning', 1, 1, /{% is never closed/],
    ['{% if a %}', 'jinja', 'error', 1, 1, /never closed with {% endif %}/],
    ['x\n{% if a %}{{ a | b }}{% endif %}', 'jinja', 'error', 2, 16, /a filter/],
    ['{% if a %}{ a }{% endif %}', 'braces', 'warning', 1, 11, /single braces/],
  ] as const)('of %j', (text, kind, severity, line, column, message) => {
    expect(lintTemplate(text)).toEqual([
      { kind, severity, line, column, field: '', message: expect.stringMatching(message) },
    ])
  })

  it.each([
    `\\frac{a}{b} \${HOME} {"x": {"y": 1}}`,
    'f(x) = {x | x > 0}',
    '{{{ a }}}',
    '{% if a %}{{ a }}{% endif %}',
  ])('finds nothing in %j', (text) => expect(lintTemplate(text)).toEqual([]))

  it.each([
    [
      'Hi {{ name }, {% iff x %}a{% endif %}\n😀 {{ x|upper }}',
      ['1:12 "{{ name }" is closed with one brace: write "}}"', '1:15 {% iff %} is', '2:7 a filter (|) is'],
    ],
    ['{% if x }a{% endif %}', ['1:9 "{% if x }" is closed with one brace: write "%}"']],
    ['{% if x %}a{% endiff %} {{ y', ['1:12 {% endiff %} is', '1:25 {{ is never closed']],
    ['{% if x %}{{ a }', ['1:1 {% if %} is never closed', '1:16 "{{ a }" is closed']],
    ['{{ "a}}b"|x }}{% endif %}', ['1:10 a filter (|) is', '1:15 {% endif %} closes nothing']],
  ])('goes on after an error: %j', (text, want) => {
    const found = lintTemplate(text).map(({ line, column, message }) => `${line}:${column} ${message}`)
    expect(found).toEqual(want.map((start) => expect.stringContaining(start)))
    expect(found.every((one, i) => one.startsWith(want[i] ?? '-'))).toBe(true)
  })

  it('tells at most 20 errors of a text', () => {
    expect(lintTemplate('{% if a %}{% endif %}{{ a|b }}'.repeat(50))).toHaveLength(20)
  })

  it('compares names with those declared, and guesses what was meant', () => {
    const chat = [
      { role: 'system', content: 'Hi' },
      { role: 'user', content: '{% if tone %}{% endif %}\n {{ user.name }} {{ histroy }}' },
    ]
    expect(lintTemplate(chat, ['user', 'history', 'tone'])).toEqual([
      {
        kind: 'undeclared',
        severity: 'warning',
        message: 'variable histroy is not declared. Did you mean history?',
        field: 'messages[1].content',
        line: 2,
        column: 18,
      },
      expect.objectContaining({ kind: 'unused', message: 'variable history is declared and not used' }),
    ])
  })

  it('refuses before registration what can never be rendered, and nothing else', async () => {
    await checkRenderable('{{ a }} { b } {% c')
    await checkRenderable([{ role: 'placeholder', content: '{{ a }}' }])
    await expect(checkRenderable('a\n{% for %}')).rejects.toThrow(/^template line 2, column \d+: {% for %}/)
    const both = [
      { role: 'placeholder', content: '{{ h }}' },
      { role: 'user', content: 'x {{ h }}' },
    ]
    await expect(checkRenderable(both)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^template messages\[1\].content line 1, column 3: variable "h"/),
    })
    await expect(checkRenderable([{ role: 'placeholder', content: 'x {{ a }}' }])).rejects.toThrow(
      /one variable/,
    )
  })
})
