import { readFileSync } from 'node:fs'
import type { Template } from '@promptkeep/client'
import { formatTemplate, variableUsesOf } from '@promptkeep/client/templates'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mlflowSkip, runPython } from './support/python.ts'

/** A case that this client and Python must agree on. `error` is ours; `python` is what Python writes instead. */
interface Vector {
  readonly template: Template
  readonly values: Readonly<Record<string, unknown>>
  readonly want?: unknown
  readonly error?: string
  readonly python?: unknown
}

const source = readFileSync(new URL('vectors/templates.json', import.meta.url), 'utf8')
const vectors = JSON.parse(source) as readonly Vector[]

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

it('docs/templates.md shows the example that is run, and counts the vectors', () => {
  const docs = read('../docs/templates.md')
  const shown = Array.from(docs.matchAll(/```ts\n([\s\S]*?)```/g), ([, code]) => code)
  expect(shown).toEqual([read('../examples/templates.ts')])
  expect(docs).toContain(`${vectors.length} vectors`)
})

/** Text, or `null` where Python raises. The JSON goes over as it is: Python tells `1.0` from `1`. */
const renderInPython = (json: string) =>
  runPython<readonly unknown[]>(`
import json
from mlflow.entities.model_registry.prompt_version import PromptVersion

def render(case):
    try:
        return PromptVersion("p", 1, case["template"]).format(**case["values"])
    except Exception:
        return None

answer([render(case) for case in json.loads(${JSON.stringify(json)})])
`)

describe('the shared vectors', () => {
  it('are many', () => expect(vectors.length).toBeGreaterThan(150))

  it.each(vectors.map((vector) => [JSON.stringify([vector.template, vector.values]), vector] as const))(
    'here: %s',
    (_, { template, values, want, error }) => {
      if (error === undefined) expect(formatTemplate(template, values)).toEqual(want)
      else expect(() => formatTemplate(template, values)).toThrow(expect.objectContaining({ code: error }))
    },
  )

  it.skipIf(mlflowSkip)(`are the same in Python ${mlflowSkip}`, async () => {
    const rendered = await renderInPython(source)
    expect(rendered).toEqual(vectors.map(({ want, python }) => want ?? python ?? null))
  })
})

it.skipIf(mlflowSkip)(
  `Python loads a prompt with a message placeholder, and prints the list ${mlflowSkip}`,
  async () => {
    const chat = [
      { role: 'placeholder', content: '{{ history }}' },
      { role: 'user', content: '{{ q }}' },
    ]
    const values = { q: 'why?', history: [{ role: 'user', content: 'hi' }] }
    const [rendered] = await renderInPython(JSON.stringify([{ template: chat, values }]))
    expect(rendered).toEqual([
      { role: 'placeholder', content: "[{'role': 'user', 'content': 'hi'}]" },
      { role: 'user', content: 'why?' },
    ])
    expect(formatTemplate(chat, values)).toEqual([...values.history, { role: 'user', content: 'why?' }])
  },
)

const NAMES = ['a', 'b', 'xs', 'o']
const name = fc.constantFrom(...NAMES)
const literal = fc.constantFrom("'x'", '"ab"', "''", '0', '1', '-2', '1.5', '2.0', 'true', 'False', 'none')

/** Expressions as people write them, and as they don't. */
const { expression } = fc.letrec<{ expression: string; path: string }>((tie) => ({
  path: fc.oneof(
    { weight: 3, arbitrary: name },
    fc.tuple(name, fc.constantFrom('.k', '["k"]', '[0]', '[-1]', '.0', '.z')).map((parts) => parts.join('')),
  ),
  expression: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    tie('path'),
    literal,
    tie('expression').map((of) => `not ${of}`),
    tie('expression').map((of) => `(${of})`),
    fc
      .tuple(tie('path'), fc.constantFrom('defined', 'not defined', 'none', 'not none'))
      .map((p) => p.join(' is ')),
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('and', 'or', '==', '!=', '<', '<=', '>', '>=', 'in', 'not in'),
        tie('expression'),
      )
      .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
  ),
}))

const blank = fc.constantFrom('', ' ', '\n', '\t ', '\r\n', ' \n ')
const text = fc
  .tuple(blank, fc.constantFrom('', 'x', '}', '%', '😀', '{ "j": 1 }'), blank)
  .map((p) => p.join(''))
const sign = fc.constantFrom('', '', '', '-')
const statement = (word: string, inner: fc.Arbitrary<string>) =>
  fc.tuple(sign, inner, sign).map(([left, inner, right]) => `{%${left} ${word} ${inner} ${right}%}`)

const { nodes } = fc.letrec<{ nodes: string; node: string }>((tie) => ({
  nodes: fc.array(tie('node'), { maxLength: 4, depthIdentifier: 'n' }).map((parts) => parts.join('')),
  node: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'n' },
    text,
    fc.tuple(sign, expression, sign).map(([left, of, right]) => `{{${left} ${of} ${right}}}`),
    fc.tuple(sign, text, sign).map(([left, inner, right]) => `{#${left} ${inner} ${right}#}`),
    fc
      .tuple(
        statement('if', expression),
        tie('nodes'),
        statement('elif', expression),
        tie('nodes'),
        tie('nodes'),
      )
      .map(([start, a, or, b, c]) => `${start}${a}${or}${b}{% else %}${c}{%- endif %}`),
    fc
      .tuple(statement('for', fc.constantFrom('a in xs', 'b in xs', 'x in o.k')), text, tie('nodes'), text)
      .map(([start, a, body, b]) => `${start}${a}{{ loop.index }}${body}${b}{% endfor %}`),
  ),
}))

const scalar = fc.oneof(
  fc.constantFrom('', 'x', 'ab', '{{ b }}', '{% if %}', '😀', 'a\nb\n'),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(0.5, 1e-5, 1e21, true, false),
)
const values = fc.record(
  {
    a: scalar,
    b: fc.oneof(scalar, fc.constant(null)),
    xs: fc.array(scalar, { maxLength: 3 }),
    o: fc.record({ k: fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
)

/** What a render came to: `MISSING_VARIABLES` and `INVALID_INPUT` without the rest of the error. */
function renderHere(
  template: string,
  values: Readonly<Record<string, unknown>>,
): { text: string } | { code: unknown } {
  try {
    return { text: formatTemplate(template, values) }
  } catch (error) {
    return { code: (error as { code?: unknown }).code }
  }
}

it.skipIf(mlflowSkip)(
  `whatever this client renders, Python renders to the same bytes ${mlflowSkip}`,
  async () => {
    const seed = Date.now() % 2 ** 31
    const cases = fc.sample(fc.tuple(nodes, values), { numRuns: 1_500, seed }).map(([body, all]) => {
      const template = `${body}{% if 1 %}{% endif %}`
      const known = new Set(rootsOf(template))
      return { template, values: Object.fromEntries(Object.entries(all).filter(([key]) => known.has(key))) }
    })
    const ours = cases.map(({ template, values }) => renderHere(template, values))
    const theirs = await renderInPython(JSON.stringify(cases))
    const wrong = cases.flatMap((one, i) => {
      const [here, there] = [ours[i], theirs[i]]
      const isSame = here && ('text' in here ? here.text === there : isStricter(here.code))
      return isSame ? [] : [{ ...one, here, there }]
    })
    expect(wrong, `with seed ${seed}`).toEqual([])
    const rendered = ours.filter((one) => 'text' in one && one.text !== '').length
    expect(rendered).toBeGreaterThan(300)
  },
)

const isStricter = (code: unknown): boolean => code === 'MISSING_VARIABLES' || code === 'INVALID_INPUT'

function rootsOf(template: string): readonly string[] {
  try {
    return variableUsesOf(template).map(({ name }) => name.split('.', 1)[0] as string)
  } catch {
    return []
  }
}
