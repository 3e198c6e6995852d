import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry } from '@promptkeep/client'
import { LOCK_FILE, readLock, readPromptFolder, writeLock } from '@promptkeep/client/files'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startRegistry } from './support/registry.ts'
import { tsc, writeApp } from './support/tsc.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'packages/cli/bin/promptkeep.js')

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** The real command in a process of its own. */
function generate(cwd: string, args: readonly string[] = [], url = ''): Promise<Outcome> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, MLFLOW_TRACKING_URI: url }
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [bin, 'generate', ...args],
      { cwd, env, timeout: 60_000 },
      (_, out, err) => resolve({ code: child.exitCode, out, err }),
    )
  })
}

async function app(files: Readonly<Record<string, string>>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-generate-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  await writeApp(dir, files)
  return dir
}

const types = (dir: string) => readFile(join(dir, 'src/prompts.gen.ts'), 'utf8')

const MEMORY = `---
description: What is known of a person
response_format:
  title: Facts
  type: object
  properties:
    facts: { type: array, items: { $ref: '#/$defs/Fact' } }
    mood: { enum: [good, bad, null] }
  required: [facts]
  $defs:
    Fact:
      type: object
      description: One fact
      properties:
        text: { type: string }
        from: { anyOf: [{ $ref: '#/$defs/Fact' }, { type: 'null' }] }
      required: [text]
---

{{ question }} asks {{ user.name }}, who is {{ user.age }}
`

const REPLY = `---
type: chat
---

- role: system
  content: Be brief.
- role: placeholder
  content: "{{ history }}"
`

const LIST = `{% if title %}# {{ title }}{% endif %}{% for fact in facts %}- {{ fact.text }}{% endfor %}{% for tag in tags %}{{ tag }}{% endfor %}`

const FILES = {
  'prompts/memory.md': MEMORY,
  'prompts/chat.reply.md': REPLY,
  'prompts/list.md': LIST,
  'prompts/plain.md': 'Hello.',
}

const USER = `import { createRegistry } from '@promptkeep/client'
import { parseResponse } from '@promptkeep/client/zod'
import type { PromptResponse, Prompts, PromptVariables } from './prompts.gen.ts'

const registry = createRegistry<Prompts>()
const person: PromptVariables<'memory'>['user'] = { name: 'Ada', age: 36 }
const memory = await registry.load('memory@candidate')
const text: string = memory.format({ question: 'Who', user: person })
memory.format({ question: 'Who' })
memory.format({ question: 'Who', user: person, wath: '' })
const answer: PromptResponse<'memory'> = parseResponse(memory, text)
const words: readonly string[] = answer.facts.flatMap(({ text, from }) => [text, from?.text ?? ''])
answer.facts[0]?.wrods
answer.mood === 'fine'
const reply = await registry.load('chat.reply')
for (const { role } of reply.format({ history: [{ role: 'user', content: words.join() }] })) console.log(role)
reply.format({ history: words })
const list = await registry.load('list', { alias: 'candidate' })
list.format({ facts: [{ text: 'a' }], tags: ['b', 1] })
list.format({ facts: [{ txet: 'a' }], tags: [] })
list.format({ facts: [], tags: [], title: ['a'] })
console.log((await registry.load('plain')).format().length)
await registry.load('memroy')
await registry.load('memory', { alias: 'prodcution' })
`

describe('promptkeep generate', { timeout: 60_000 }, () => {
  it('of a folder writes types by which the compiler knows right from wrong', async () => {
    const dir = await app({ ...FILES, 'src/app.ts': USER })
    const { code, out, err } = await generate(dir, ['--alias', 'candidate'])
    expect({ code, out, err }).toEqual({
      code: 0,
      out: 'src/prompts.gen.ts: the types of 4 prompts\n',
      err: '',
    })
    await expect(await types(dir)).toMatchFileSnapshot('./golden/prompts.gen.ts.txt')
    const { errors } = await tsc(dir)
    const lines = USER.split('\n')
    expect(errors.map(({ line, code }) => [code, lines[line - 1]])).toEqual([
      ['TS2741', `memory.format({ question: 'Who' })`],
      ['TS2353', `memory.format({ question: 'Who', user: person, wath: '' })`],
      ['TS2339', 'answer.facts[0]?.wrods'],
      ['TS2367', `answer.mood === 'fine'`],
      ['TS2322', 'reply.format({ history: words })'],
      ['TS2353', `list.format({ facts: [{ txet: 'a' }], tags: [] })`],
      ['TS2322', `list.format({ facts: [], tags: [], title: ['a'] })`],
      ['TS2345', `await registry.load('memroy')`],
      ['TS2820', `await registry.load('memory', { alias: 'prodcution' })`],
    ])
  })

  it('writes the same file however it is called, and leaves one alone that is as it should be', async () => {
    const dir = await app(FILES)
    await generate(dir, ['plain', 'memory', '--from', 'prompts/'])
    const first = await types(dir)
    expect(first).toContain('\n//   npx promptkeep generate memory plain\n')
    const path = join(dir, 'src/prompts.gen.ts')
    await utimes(path, 1, 1)
    const again = await generate(dir, ['memory', 'plain', '--from', join(dir, 'prompts'), '--out', path])
    expect(again.out).toBe(`${path}: the types of 2 prompts, unchanged\n`)
    expect((await stat(path)).mtimeMs).toBe(1000)
    expect(await types(dir)).toBe(first)
  })

  it('--check fails for what would be written otherwise, says why, and writes nothing', async () => {
    const dir = await app(FILES)
    const none = await generate(dir, ['--check'])
    expect(none.code).toBe(1)
    expect(none.err).toBe(
      'src/prompts.gen.ts: there is no such file. Make it anew, and commit it: npx promptkeep generate\n',
    )
    expect(await readdir(join(dir, 'prompts'))).not.toContain(LOCK_FILE)
    await generate(dir)
    const before = await types(dir)
    await writeFile(join(dir, 'src/prompts.gen.ts'), before.replaceAll('\n', '\r\n'))
    expect(await generate(dir, ['--check'])).toEqual({
      code: 0,
      out: 'src/prompts.gen.ts: the types of 4 prompts are what they should be\n',
      err: '',
    })
    await writeFile(join(dir, 'prompts/plain.md'), 'Hello {{ who }}.')
    const { code, out, err } = await generate(dir, ['--check'])
    expect(code).toBe(1)
    expect(out).toMatch(
      /^-import type \{ ChatMessage, NoVariables, TextValue \} from[\s\S]*^- {4}variables: NoVariables\n\+ {4}variables: \{\n\+ {6}readonly who: TextValue\n/m,
    )
    expect(err).toMatch(
      /: not what would be written\. Make it anew, and commit it: npx promptkeep generate\n$/,
    )
    expect(await types(dir)).toBe(before.replaceAll('\n', '\r\n'))
    const json = JSON.parse((await generate(dir, ['--check', '--json'])).out)
    expect(json).toMatchObject({ file: 'src/prompts.gen.ts', same: false, older: ['plain'] })
  })

  it('notes in the lock which texts the types were made from, beside what push and pull note', async () => {
    const dir = await app(FILES)
    const prompts = join(dir, 'prompts')
    const pushed = { plain: { digest: 'a'.repeat(64) } }
    await writeLock(prompts, { version: 1, prompts: pushed })
    await generate(dir)
    const lock = await readLock(prompts)
    expect(lock.prompts).toEqual(pushed)
    expect(Object.keys(lock.types ?? {})).toEqual((await readPromptFolder(prompts)).map(({ name }) => name))
    await writeLock(prompts, { version: 1, prompts: {} })
    expect((await readLock(prompts)).types).toEqual(lock.types)

    await writeFile(join(prompts, 'plain.md'), 'Hello, you.')
    expect(await generate(dir, ['--check'])).toMatchObject({
      code: 0,
      err: 'Changed since the types were made, and the types are still right: plain. npx promptkeep generate notes it.\n',
    })
    await generate(dir)
    expect((await generate(dir, ['--check'])).err).toBe('')
  })

  it('of a folder puts in what a text includes', async () => {
    const dir = await app({
      'prompts/all.md': '{% include "part@next" %} {{ name }}',
      'prompts/part.md': 'Kindly, {{ tone }}.',
    })
    expect((await generate(dir)).code).toBe(0)
    expect(await types(dir)).toMatch(/ {2}all: \{[\s\S]*?tone: TextValue\n[\s\S]*?name: TextValue\n/)
    await rm(join(dir, 'prompts/part.md'))
    const { code, err } = await generate(dir, ['--check'])
    expect(code).toBe(2)
    expect(err).toMatch(/all\.md: .*the folder has no prompt "part"/)
  })

  it('names the text that cannot be rendered: of a file it fails, of a registry it leaves it out', async () => {
    const python = '{% set a = 1 %}{{ a }}'
    const dir = await app({ 'prompts/ours.md': 'Hi', 'prompts/python.md': python })
    const ofFiles = await generate(dir)
    expect(ofFiles.code).toBe(2)
    expect(ofFiles.err).toMatch(/python\.md: .*set/)

    const server = await startRegistry()
    onTestFinished(() => server.stop())
    const registry = createRegistry({ trackingUri: server.url })
    onTestFinished(() => registry.close())
    await registry.register({ name: 'ours', template: 'Hi' })
    await registry.setAlias('ours', 'production', 1)
    await registry.register({ name: 'python', template: python })
    await registry.setAlias('python', 'production', 1)
    const all = await generate(dir, ['--from', 'registry'], server.url)
    expect(all).toMatchObject({ code: 0, out: 'src/prompts.gen.ts: the types of 1 prompt\n' })
    expect(all.err).toMatch(/^WARN python: v1 cannot be rendered \(.*\), so it is left out\n$/)
    const named = await generate(dir, ['python', '--from', 'registry'], server.url)
    expect(named.code).toBe(2)
    expect(named.err).toMatch(/prompt "python": v1 cannot be rendered/)
  })

  it('of a registry knows the aliases that are there, and says where one needs other values', async () => {
    const server = await startRegistry()
    onTestFinished(() => server.stop())
    const registry = createRegistry({ trackingUri: server.url })
    onTestFinished(() => registry.close())
    await registry.register({ name: 'greet', template: 'Hi {{ who }}', description: 'A greeting' })
    await registry.register({ name: 'greet', template: 'Hi {{ who }} {{ tone }}' })
    await registry.register({ name: 'draft', template: 'Hi' })
    await registry.setAlias('greet', 'production', 1)
    await registry.setAlias('greet', 'next', 2)
    await registry.setAlias('draft', 'next', 1)
    const dir = await app({
      'src/app.ts': `import { createRegistry } from '@promptkeep/client'
import type { Prompts } from './prompts.gen.ts'
const greet = await createRegistry<Prompts>().load('greet@next')
greet.format({ who: 'Ada' })
greet.format({ who: 'Ada', tone: 'warm' })
`,
    })
    const ofProduction = await generate(dir, ['--from', 'registry'], server.url)
    expect(ofProduction).toEqual({
      code: 0,
      out: 'src/prompts.gen.ts: the types of 1 prompt\n',
      err: `WARN draft: it has no alias production, so it is left out
WARN greet: next (v2) has the variables tone as well, and the types are those of production
`,
    })
    expect((await tsc(dir)).errors).toMatchObject([{ line: 5, code: 'TS2353' }])
    expect(await readdir(join(dir, 'src'))).toContain(LOCK_FILE)

    const ofNext = await generate(dir, ['--from', 'registry', '--alias', 'next', '--json'], server.url)
    expect(JSON.parse(ofNext.out)).toMatchObject({
      file: 'src/prompts.gen.ts',
      changed: true,
      prompts: [
        { name: 'draft', aliases: ['next'] },
        { name: 'greet', kind: 'text', aliases: ['next', 'production'], hasResponse: false },
      ],
    })
    expect(await types(dir)).toContain('/** A greeting */')
    expect((await tsc(dir)).errors).toMatchObject([{ line: 4, code: 'TS2741' }])
    expect(
      await generate(dir, ['--from', 'registry', '--alias', 'next', '--check'], server.url),
    ).toMatchObject({
      code: 0,
    })
  })

  it.each([
    { args: ['memroy'], want: 'there is no file of a prompt "memroy"\nDid you mean memory?' },
    { args: ['--from', 'nowhere'], want: 'nowhere: there is no such folder' },
    { args: ['--alias', 'production,v3'], want: '--alias' },
    { args: ['--alias', ''], want: '--alias' },
    { args: ['--tracking-uri', 'http://127.0.0.1:1'], want: 'Ask the registry with --from registry.' },
    { args: ['--from', 'registry', '--tracking-uri', 'http://127.0.0.1:1'], want: 'http://127.0.0.1:1' },
    { args: ['--out', 'src/mine.ts'], want: 'src/mine.ts: promptkeep generate did not make this file' },
    { args: ['--from', 'src'], want: 'src: there is no prompt to make types of' },
    { args: ['--out', 'src'], want: 'src: cannot be read (EISDIR)' },
  ])('refuses $args, and writes nothing', async ({ args, want }) => {
    const dir = await app({ ...FILES, 'src/mine.ts': 'export const mine = 1\n' })
    const { code, out, err } = await generate(dir, args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(want)
    expect(await readdir(join(dir, 'src'))).toEqual(['mine.ts'])
    expect(await readFile(join(dir, 'src/mine.ts'), 'utf8')).toBe('export const mine = 1\n')
  })
})

describe('the types that this repository has of its own prompts', { timeout: 60_000 }, () => {
  it.each([
    ['examples/typed/prompts', 'examples/typed/prompts.gen.ts'],
    ['apps/assistant/prompts', 'apps/assistant/src/prompts.gen.ts'],
  ])('%s are what they should be', async (from, out) => {
    expect(await generate(root, ['--from', from, '--out', out, '--check'])).toMatchObject({
      code: 0,
    })
  })
})
