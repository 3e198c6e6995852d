import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { digestOf } from './digest.ts'
import {
  canonicalText,
  fileDigestOf,
  formatPromptFile,
  LOCK_FILE,
  parsePromptFile,
  readLock,
  readPromptFolder,
  writeLock,
} from './files.ts'

async function folder(files: Record<string, string | Uint8Array> = {}): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-files-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
  return dir
}

describe('canonicalText', () => {
  it.each([
    { rule: 'turns CRLF into LF', body: 'a\r\nb\r\n', want: 'a\nb' },
    { rule: 'trims blank lines at both ends', body: '\n \t\n\na\n\nb\n  \n\n', want: 'a\n\nb' },
    { rule: 'has no final newline', body: 'a\n', want: 'a' },
    { rule: 'keeps the indentation of the first line', body: '\n  a\n', want: '  a' },
    { rule: 'keeps spaces at the end of the last line', body: 'a  \n', want: 'a  ' },
    { rule: 'is empty for blank lines only', body: ' \n\t\n', want: '' },
  ])('$rule', ({ body, want }) => expect(canonicalText(body)).toBe(want))

  it('changes nothing the second time', () =>
    fc.assert(
      fc.property(fc.array(fc.constantFrom('\n', '\r\n', ' ', 'a', '\t')), (parts) => {
        const once = canonicalText(parts.join(''))
        expect(canonicalText(once)).toBe(once)
      }),
    ))
})

const MEMORY = `---
description: What the memory agent does # shown in lists
model_config:
  # low: it must not invent memories
  temperature: 0.2
  max_tokens: 800
variables: [user]
---

Hello {{ user }},
look it up.
`

describe('parsePromptFile', () => {
  it('reads front matter and canonical text', () => {
    expect(parsePromptFile(MEMORY, 'prompts/memory.md')).toEqual({
      name: 'memory',
      path: 'prompts/memory.md',
      description: 'What the memory agent does',
      modelConfig: { temperature: 0.2, max_tokens: 800 },
      variables: ['user'],
      template: 'Hello {{ user }},\nlook it up.',
    })
  })

  it('reads the same from CRLF with a byte order mark', () => {
    const windows = `\uFEFF${MEMORY.replaceAll('\n', '\r\n')}`
    expect(parsePromptFile(windows, 'memory.md')).toEqual(parsePromptFile(MEMORY, 'memory.md'))
  })

  it('takes a file without front matter', () => {
    expect(parsePromptFile('Just text\n', 'a/b/plain.md')).toEqual({
      name: 'plain',
      path: 'a/b/plain.md',
      template: 'Just text',
    })
  })

  it('leaves rules and further fences in the text', () => {
    expect(parsePromptFile('---\n---\nabove\n---\nbelow\n', 'x.md').template).toBe('above\n---\nbelow')
  })

  it('counts an empty value or mapping as absent', () => {
    const file = parsePromptFile('---\ndescription:\nmodel_config: {}\n---\ntext', 'x.md')
    expect(file).toEqual({ name: 'x', path: 'x.md', template: 'text' })
  })

  it('reads a chat prompt', () => {
    const text = `---
type: chat
response_format: { type: object }
tags: { team: core }
---
- role: system
  content: |
    You are brief.
    {"json": true}
- role: user
  content: "{{ question }}"
- role: assistant
  tool_calls:
    - { id: c1, type: function, function: { name: look_up, arguments: "{}" } }
- role: tool
  tool_call_id: c1
  content:
    - { type: text, text: found }
`
    expect(parsePromptFile(text, 'chat.md')).toMatchObject({
      responseFormat: { type: 'object' },
      tags: { team: 'core' },
      template: [
        { role: 'system', content: 'You are brief.\n{"json": true}' },
        { role: 'user', content: '{{ question }}' },
        {
          role: 'assistant',
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look_up', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'found' }] },
      ],
    })
  })

  it.each([
    {
      rule: 'an open front matter',
      text: '---\na: 1\ntext',
      want: 'p/x.md:1: the front matter is not closed',
    },
    {
      rule: 'an unknown key, with the allowed ones',
      text: '---\ndescription: a\n\ntemperature: 1\n---\ntext',
      want: 'p/x.md:4: unknown key "temperature"; allowed are name, description, type, model_config',
    },
    {
      rule: 'broken YAML',
      text: '---\ndescription: a\ntags: [a\n---\nt',
      want: /^p\/x\.md:[34]: is not valid YAML: /,
    },
    {
      rule: 'a key given twice',
      text: '---\ntype: text\ntype: chat\n---\nt',
      want: 'p/x.md:3: is not valid YAML',
    },
    {
      rule: 'front matter that is a list',
      text: '---\n- a\n---\nt',
      want: 'p/x.md:2: the front matter must be',
    },
    {
      rule: 'a number as description',
      text: '---\ndescription: 7\n---\nt',
      want: 'p/x.md:2: description must be text, not 7',
    },
    {
      rule: 'another type',
      text: '---\n\ntype: image\n---\nt',
      want: 'p/x.md:3: type must be text or chat, not "image"',
    },
    {
      rule: 'a list as model config',
      text: '---\nmodel_config: [1]\n---\nt',
      want: 'p/x.md:2: model_config must be a mapping',
    },
    {
      rule: 'what JSON has no word for',
      text: '---\nmodel_config:\n  temperature: .nan\n---\nt',
      want: 'p/x.md:3: NaN cannot',
    },
    {
      rule: 'a tag that is no text',
      text: '---\ntags: { a: 1 }\n---\nt',
      want: 'p/x.md:2: tags must be a mapping of names to text: quote the value of "a", not 1',
    },
    {
      rule: 'variables that are no list',
      text: '---\nvariables: a\n---\nt',
      want: 'p/x.md:2: variables must be a list of names',
    },
    { rule: 'no text', text: '---\ntype: text\n---\n \n', want: 'p/x.md:4: has no text' },
    { rule: 'U+0000', text: 'a\nb\0', want: 'p/x.md:2: holds the character U+0000' },
    {
      rule: 'variables that the text does not have, and the reverse',
      text: '---\ndescription: d\nvariables: [b, c]\n---\n{{ a }} {{ b }}',
      want: 'p/x.md:3: variables must be those of the text: the text uses a, which it does not list; it lists c,',
    },
    {
      rule: 'a setting out of its range',
      text: '---\nmodel_config: { temperature: -1 }\n---\nt',
      want: 'p/x.md:2: model_config.temperature must be',
    },
    {
      rule: 'a reserved tag',
      text: '---\ntags: { promptkeep.digest: a }\n---\nt',
      want: 'p/x.md:2: tags key',
    },
    {
      rule: 'half a character',
      text: '---\ndescription: "\\uD800"\n---\nt',
      want: 'p/x.md:2: description holds',
    },
    {
      rule: "a name that is not the file's",
      text: '---\nname: y\n---\nt',
      want: 'p/x.md:2: name is "y", but the file\'s name says "x"',
    },
    {
      rule: 'chat text that is no list',
      text: '---\ntype: chat\n---\nhello',
      want: 'p/x.md:4: the body of a chat prompt is a YAML list',
    },
    {
      rule: 'a message without a role',
      text: '---\ntype: chat\n---\n- role: user\n  content: a\n- content: b',
      want: "p/x.md:6: a message's role must be text",
    },
    {
      rule: 'an unquoted variable as content',
      text: '---\ntype: chat\n---\n- role: user\n  content: { a: b }',
      want: "p/x.md:5: a message's content must be text",
    },
    { rule: 'no messages', text: '---\ntype: chat\n---\n', want: 'p/x.md:4: has no text' },
  ])('refuses $rule', ({ text, want }) => {
    const message = typeof want === 'string' ? want : expect.stringMatching(want)
    expect(() => parsePromptFile(text, 'p/x.md')).toThrow(
      expect.objectContaining({
        code: 'INVALID_INPUT',
        message: typeof message === 'string' ? expect.stringContaining(message) : message,
      }),
    )
  })

  it.each(['memory.txt', 'a b.md', '.hidden.md', 'é.md', '.md', 'README.md', 'ReadMe.md'])(
    'refuses %s as the file of a prompt',
    (path) =>
      expect(() => parsePromptFile('text', path)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' })),
  )
})

describe('formatPromptFile', () => {
  it("keeps a person's front matter when only the text changes", () => {
    const file = parsePromptFile(MEMORY, 'memory.md')
    expect(formatPromptFile(file, MEMORY)).toBe(MEMORY)
    expect(formatPromptFile({ ...file, template: 'Bye {{ user }}' }, MEMORY)).toBe(
      MEMORY.replace('Hello {{ user }},\nlook it up.', 'Bye {{ user }}'),
    )
  })

  it('changes one setting and keeps the comments of the others', () => {
    const file = {
      ...parsePromptFile(MEMORY, 'memory.md'),
      modelConfig: { max_tokens: 900, temperature: 0.2, top_p: 1 },
    }
    expect(formatPromptFile(file, MEMORY)).toBe(
      MEMORY.replace('  max_tokens: 800\n', '  max_tokens: 900\n  top_p: 1\n').replace('[user]', '[ user ]'),
    )
  })

  it('removes what is gone, and the fences stay', () => {
    const before = '---\nmodel_config: { temperature: 1 }\n---\ntext\n'
    const text = formatPromptFile({ name: 'x', path: 'x.md', template: 'text' }, before)
    expect(text).toBe('---\n---\n\ntext\n')
    expect(parsePromptFile(text, 'x.md')).toEqual({ name: 'x', path: 'x.md', template: 'text' })
  })

  it('keeps front matter that holds comments only', () => {
    const before = '---\n# nothing yet\n---\ntext\n'
    const file = { name: 'x', path: 'x.md', template: 'new' }
    expect(formatPromptFile(file, before)).toBe('---\n# nothing yet\n---\n\nnew\n')
    const withConfig = formatPromptFile({ ...file, modelConfig: { top_k: 3 } }, before)
    expect(withConfig).toContain('# nothing yet')
    expect(parsePromptFile(withConfig, 'x.md').modelConfig).toEqual({ top_k: 3 })
  })

  it('writes a text that starts with a fence so that it reads back', () => {
    const file = { name: 'x', path: 'x.md', template: '---\nnot: front matter\n---\ntext' }
    expect(parsePromptFile(formatPromptFile(file), 'x.md')).toEqual(file)
  })

  const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)))
  const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((value) => !value.includes('\0'))
  const settings = fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), json, {
    minKeys: 1,
    maxKeys: 3,
    noNullPrototype: true,
  })
  const prompt = fc.record(
    {
      name: fc.constant('x'),
      path: fc.constant('x.md'),
      description: text,
      modelConfig: settings,
      responseFormat: settings,
      tags: fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), text, { minKeys: 1, noNullPrototype: true }),
      template: fc.oneof(
        text.map(canonicalText).filter((value) => value !== ''),
        fc.array(fc.record({ role: fc.constantFrom('system', 'user'), content: text.map(canonicalText) }), {
          minLength: 1,
        }),
      ),
    },
    { requiredKeys: ['name', 'path', 'template'], noNullPrototype: true },
  )

  it('writes what parses to the same prompt, anew and over any other', () =>
    fc.assert(
      fc.property(prompt, prompt, (file, other) => {
        expect(parsePromptFile(formatPromptFile(file), 'x.md')).toEqual(file)
        expect(parsePromptFile(formatPromptFile(file, formatPromptFile(other)), 'x.md')).toEqual(file)
      }),
      { numRuns: 60 },
    ))
})

describe('readPromptFolder', () => {
  it('reads the prompts of one folder by name, and nothing else', async () => {
    const dir = await folder({ 'b.md': 'B', 'a.md': 'A', 'README.md': '# read', '.x.md': 'x', 'c.txt': 'c' })
    await mkdir(join(dir, 'd.md'))
    const files = await readPromptFolder(dir)
    expect(files.map(({ name, template, path }) => [name, template, path])).toEqual([
      ['a', 'A', join(dir, 'a.md')],
      ['b', 'B', join(dir, 'b.md')],
    ])
  })

  it('says which folder is missing', async () => {
    const dir = await folder()
    await expect(readPromptFolder(join(dir, 'none'))).rejects.toThrow(
      `${join(dir, 'none')}: there is no such folder`,
    )
  })

  it('names the file that is not UTF-8', async () => {
    const dir = await folder({ 'latin.md': Uint8Array.of(0x63, 0x61, 0x66, 0xe9) })
    await expect(readPromptFolder(dir)).rejects.toThrow(`${join(dir, 'latin.md')}:1: is not UTF-8`)
  })
})

describe('fileDigestOf', () => {
  it('is the digest of what a push registers', async () => {
    const content = { template: 'a', modelConfig: { temperature: 1 } }
    expect(await fileDigestOf(content)).toBe(await digestOf(content))
  })

  it('does not see what a file cannot hold', async () => {
    const plain = await digestOf({ template: 'a' })
    expect(await fileDigestOf({ template: '\r\na\n', modelConfig: {}, responseFormat: {} })).toBe(plain)
    const chat = await digestOf({ template: [{ role: 'user', content: 'a' }] })
    expect(await fileDigestOf({ template: [{ role: 'user', content: 'a\n' }] })).toBe(chat)
  })
})

describe('the lock', () => {
  const digest = (letter: string) => letter.repeat(64)

  it('is empty where there is none', async () => {
    expect(await readLock(await folder())).toEqual({ version: 1, prompts: {} })
  })

  it('is written sorted, whole, and reads back', async () => {
    const dir = await folder()
    const prompts = { b: { digest: digest('b') }, a: { digest: digest('a') } }
    await writeLock(dir, { version: 1, prompts })
    expect(await readLock(dir)).toEqual({ version: 1, prompts })
    const text = await readFile(join(dir, LOCK_FILE), 'utf8')
    expect(text.indexOf('"a"')).toBeLessThan(text.indexOf('"b"'))
    expect(text.endsWith('}\n')).toBe(true)
    expect(await readdir(dir)).toEqual([LOCK_FILE])
  })

  it('is written through a link', async () => {
    const [dir, other] = [await folder(), await folder({ 'real.json': '{}' })]
    await symlink(join(other, 'real.json'), join(dir, LOCK_FILE))
    await writeLock(dir, { version: 1, prompts: {} })
    expect((await lstat(join(dir, LOCK_FILE))).isSymbolicLink()).toBe(true)
    expect(await readFile(join(other, 'real.json'), 'utf8')).toContain('"version": 1')
  })

  it('leaves nothing beside it when it cannot be written', async () => {
    const dir = await folder()
    await mkdir(join(dir, LOCK_FILE))
    await expect(writeLock(dir, { version: 1, prompts: {} })).rejects.toThrow()
    expect(await readdir(dir)).toEqual([LOCK_FILE])
  })

  it.each([
    { rule: 'a merge that is not resolved', text: '<<<<<<< HEAD\n{}', want: 'conflict marks' },
    { rule: 'what is not JSON', text: '{', want: 'is not JSON' },
    { rule: 'another version', text: '{"version":2,"prompts":{}}', want: 'version must be 1' },
    { rule: 'no prompts', text: '{"version":1}', want: '"prompts" must be an object' },
    {
      rule: 'a bad digest',
      text: '{"version":1,"prompts":{"a":{"digest":"AB"}}}',
      want: 'prompts.a.digest must be',
    },
  ])('refuses $rule', async ({ text, want }) => {
    await expect(readLock(await folder({ [LOCK_FILE]: text }))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(want),
    })
  })
})
