import { describe, expect, it } from 'vitest'
import { digestOf } from './digest.ts'
import { AliasNotFound, InvalidInput, PromptNotFound, RegistryError } from './errors.ts'
import {
  expandDefaults,
  expandDraft,
  expandIncludes,
  type FindPart,
  hasIncludes,
  type Includable,
  includesOf,
  type Part,
  partsOf,
  SOURCE_TAG,
  sourceOf,
} from './includes.ts'
import type { Template } from './prompt.ts'

/** A registry of texts: `name` is `name@production`; each is version 3. */
function holding(texts: Readonly<Record<string, Template>>, tags: Readonly<Record<string, string>> = {}) {
  const asked: string[] = []
  const find: FindPart = async ({ name, alias = 'production', version }) => {
    asked.push(`${name}@${alias}/${version ?? ''}`)
    const template = texts[name]
    if (template === undefined) throw new PromptNotFound(name)
    if (alias === 'none') throw new AliasNotFound(alias)
    const found: Includable = {
      name,
      version: version ?? 3,
      template,
      digest: await digestOf({ template }),
      tags: name in tags ? { 'promptkeep.parts': tags[name] as string } : {},
    }
    return found
  }
  return { find, asked }
}

const expand = (template: Template, texts: Readonly<Record<string, Template>>) =>
  expandIncludes('memory', template, holding(texts).find)

describe('a statement', () => {
  it.each([
    { text: '{% include "tone" %}', want: { name: 'tone' } },
    { text: "{%include 'tone@staging'%}", want: { name: 'tone', alias: 'staging' } },
    { text: '{%  include  "prompts:/tone/3"  %}', want: { name: 'tone', version: 3 } },
    { text: '{% include "tone@latest" %}', want: { name: 'tone', alias: 'latest' } },
  ])('is read: $text', ({ text, want }) => {
    expect(includesOf(`a\n${text}`)).toEqual([{ reference: want, statement: text, line: 2 }])
  })

  it.each([
    {
      text: 'no\n{% include tone %}',
      want: /^line 2: \{% include tone %\}: write \{% include "name@alias" %\}/,
    },
    { text: '{%- include "tone" -%}', want: /^line 1: .*: write/ },
    { text: '{% include "tone" ignore missing %}', want: /: write/ },
    { text: '{% include "tone', want: /^line 1: \{% include "tone: write/ },
    { text: '{% include "to ne" %}', want: /name must be letters/ },
    { text: '{% include "tone@v3" %}', want: /an alias; for a version by number/ },
    { text: '{% include "" %}', want: /name must be/ },
  ])('that is written otherwise is refused with its place: $text', ({ text, want }) => {
    expect(hasIncludes(text)).toBe(true)
    expect(() => includesOf(text)).toThrow(want)
    expect(() => includesOf(text)).toThrow(InvalidInput)
  })

  it('is nothing else that a text may hold', () => {
    expect(hasIncludes('include "tone" {{ include }} {% if included %}x{% endif %} {% includes %}')).toBe(
      false,
    )
  })
})

describe('expanding', () => {
  it('puts a text where it is included, as it is, and says what it was', async () => {
    const { template, parts } = await expand(
      'Be {% include "tone@production" %}\n{{ q }} {% include "end/2" %}',
      {
        tone: 'kind to {{ user }}. $& {% if x %}1{% endif %}',
        end: 'Bye',
      },
    )
    expect(template).toBe('Be kind to {{ user }}. $& {% if x %}1{% endif %}\n{{ q }} Bye')
    expect(parts).toEqual<Part[]>([
      {
        name: 'tone',
        version: 3,
        alias: 'production',
        digest: await digestOf({ template: 'kind to {{ user }}. $& {% if x %}1{% endif %}' }),
      },
      { name: 'end', version: 2, pinned: true, digest: await digestOf({ template: 'Bye' }) },
    ])
  })

  it('asks once for a part that is included often, and notes it once', async () => {
    const { find, asked } = holding({ tone: 'kind' })
    const { template, parts } = await expandIncludes('m', '{% include "tone" %}{% include "tone" %}', find)
    expect([template, parts.length, asked]).toEqual(['kindkind', 1, ['tone@production/']])
  })

  it('fills the texts of a chat prompt, and leaves what is no text as it is', async () => {
    const image = { type: 'image_url', image_url: { url: '{% include "tone" %}' } }
    const { template } = await expand(
      [
        { role: 'system', content: 'Be {% include "tone" %}' },
        { role: 'user', content: [{ type: 'text', text: '{% include "tone" %}!' }, image] },
        { role: 'assistant', tool_calls: [{ id: '{% include "tone" %}' }] },
      ],
      { tone: 'kind' },
    )
    expect(template).toEqual([
      { role: 'system', content: 'Be kind' },
      { role: 'user', content: [{ type: 'text', text: 'kind!' }, image] },
      { role: 'assistant', tool_calls: [{ id: '{% include "tone" %}' }] },
    ])
  })

  it('notes the parts of parts with who brought them along', async () => {
    const deep: Part[] = [
      { name: 'words', version: 7, alias: 'production', digest: 'a' },
      { name: 'commas', version: 1, digest: 'b', via: 'words' },
    ]
    const { find } = holding({ tone: 'kind words' }, { tone: JSON.stringify(deep) })
    const { parts } = await expandIncludes('memory', '{% include "tone" %}', find)
    expect(parts.map(({ name, via }) => [name, via])).toEqual([
      ['tone', undefined],
      ['words', 'tone'],
      ['commas', 'words'],
    ])
  })

  it('expands also a part that another client registered with its statement', async () => {
    const { template, parts } = await expand('{% include "tone" %}', {
      tone: 'a {% include "end" %}',
      end: 'z',
    })
    expect(template).toBe('a z')
    expect(parts).toMatchObject([
      { name: 'end', via: 'tone' },
      { name: 'tone', digest: await digestOf({ template: 'a z' }) },
    ])
  })

  it.each([
    { rule: 'itself', texts: {}, text: '{% include "memory/1" %}', want: 'memory -> memory' },
    {
      rule: 'one that includes it',
      texts: { tone: '{% include "memory" %}' },
      text: '{% include "tone" %}',
      want: 'memory -> tone -> memory',
    },
  ])('refuses a circle: $rule', async ({ texts, text, want }) => {
    await expect(expand(text, texts)).rejects.toThrow(`a prompt cannot include itself: ${want}`)
  })

  it('refuses a circle through what a part was made of', async () => {
    const made = JSON.stringify([{ name: 'memory', version: 1, digest: 'a' }])
    const { find } = holding({ tone: 'kind' }, { tone: made })
    await expect(expandIncludes('memory', '{% include "tone" %}', find)).rejects.toThrow(
      'memory -> tone -> memory',
    )
  })

  it.each([
    {
      rule: 'a part that is missing',
      text: 'a\nb {% include "gone" %}',
      want: /^line 2: .*"gone" %\}: .*gone not found/,
    },
    { rule: 'an alias that is missing', text: '{% include "tone@none" %}', want: /alias none not found/ },
    { rule: 'a chat prompt', text: '{% include "chat" %}', want: /a chat prompt cannot be part of a text/ },
  ])('refuses $rule, with its line', async ({ text, want }) => {
    const texts = { tone: 'kind', chat: [{ role: 'user', content: 'hi' }] }
    await expect(expand(text, texts)).rejects.toThrow(want)
    await expect(expand(text, texts)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })

  it('lets an outage be one', async () => {
    const down = () => Promise.reject(new RegistryError('UNAVAILABLE', 'nobody there'))
    await expect(expandIncludes('m', '{% include "tone" %}', down)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
  })

  it.each([1, 5000])('refuses a text that gets too long, before it is huge: %s parts', async (count) => {
    const text = `${'{% include "long" %}'.repeat(count)}x`
    await expect(expand(text, { long: 'y'.repeat(100_000) })).rejects.toThrow(/at most 100000 are allowed/)
  })
})

describe('a draft', () => {
  const { find } = holding({ tone: 'kind' })

  it('without includes is given back as it is', async () => {
    const draft = { name: 'memory', template: 'plain', tags: { a: 'b' } }
    expect(await expandDraft(draft, find)).toBe(draft)
  })

  it.each<{ kind: string; template: Template }>([
    { kind: 'text', template: 'Be {% include "tone" %}, {{ user }}' },
    { kind: 'chat', template: [{ role: 'user', content: 'Be {% include "tone" %}' }] },
  ])('says in its tags what it was made of and how it was written: $kind', async ({ template }) => {
    const { tags = {}, ...made } = await expandDraft({ name: 'memory', template, tags: { a: 'b' } }, find)
    expect(hasIncludes(made.template)).toBe(false)
    expect(tags).toMatchObject({ a: 'b' })
    expect(partsOf(tags)).toMatchObject([{ name: 'tone', version: 3 }])
    expect(sourceOf({ template: made.template, tags })).toEqual(template)
  })

  it.each<{ rule: string; source: string | undefined; template: Template }>([
    { rule: 'absent', source: undefined, template: 'Be kind' },
    { rule: 'of another text', source: 'Be {% include "tone" %}!', template: 'Be kind' },
    { rule: 'overlapping the text', source: 'abc{% include "tone" %}cd', template: 'abcd' },
    { rule: 'no statement', source: 'Be {% include tone %}', template: 'Be kind' },
    { rule: 'plain, and another', source: 'Be cruel', template: 'Be kind' },
    { rule: 'no chat', source: '"x"', template: [{ role: 'user', content: 'x' }] },
    { rule: 'no JSON', source: '[', template: [{ role: 'user', content: 'x' }] },
    {
      rule: 'of other roles',
      source: '[{"role":"system","content":"{% include \\"tone\\" %}"}]',
      template: [{ role: 'user', content: 'x' }],
    },
  ])('has no source where the tag is $rule', ({ source, template }) => {
    const tags = source === undefined ? {} : { [SOURCE_TAG]: source }
    expect(sourceOf({ template, tags })).toBe(template)
  })

  it.each(['{', '{}', '[{"name":"a"}]', '[null]', ''])('has no parts where the tag is %j', (text) => {
    expect(partsOf({ 'promptkeep.parts': text })).toEqual([])
  })
})

describe('bundled defaults', () => {
  const drafts = (texts: Readonly<Record<string, string>>) =>
    new Map(Object.entries(texts).map(([name, template]) => [name, { name, template }]))

  it('stand alone: an include means another of them', async () => {
    const made = await expandDefaults(
      drafts({ memory: 'M {% include "tone@production" %}', tone: 'T {% include "end" %}', end: 'E' }),
    )
    expect([...made.values()].map(({ template }) => template)).toEqual(['M T E', 'T E', 'E'])
    expect(partsOf(made.get('memory')?.tags ?? {})).toContainEqual({
      name: 'tone',
      version: 0,
      alias: 'production',
      digest: await digestOf({ template: 'T E' }),
    })
  })

  it.each([
    {
      texts: { memory: '\n{% include "tone" %}' },
      want: /^defaults\["memory"\]: line 2: .*no default "tone"/,
    },
    { texts: { memory: '{% include "tone/3" %}', tone: 'T' }, want: /has no versions/ },
    { texts: { a: '{% include "b" %}', b: '{% include "a" %}' }, want: /a -> b -> a/ },
  ])('refuse what is not bundled: $texts', async ({ texts, want }) => {
    await expect(expandDefaults(drafts(texts as Record<string, string>))).rejects.toThrow(want)
  })
})
