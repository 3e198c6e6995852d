import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { partsOf } from '@promptkeep/client/includes'
import { beforeEach, describe, expect, it } from 'vitest'
import { createTestCli, type TestCli } from '../test-io.ts'

let home: string
let cli: TestCli

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'promptkeep-includes-'))
  await mkdir(join(home, 'prompts'))
  cli = createTestCli(home)
  return () => rm(home, { recursive: true, force: true })
})

const path = (name: string) => join(home, 'prompts', `${name}.md`)
const write = (name: string, text: string) => writeFile(path(name), text)
const read = (name: string) => readFile(path(name), 'utf8')
const there = (name: string, alias = 'production') => cli.transport.findByAlias(name, alias)
const latest = async (name: string) => (await cli.transport.find(name)).latestVersion

/** `memory` (sorted before what it includes) and `tone`, in step with production. */
async function pushBoth() {
  await write(
    'memory',
    '---\ndescription: d # ours\n---\n\nBe {% include "tone@production" %} to {{ user }}.\n',
  )
  await write('tone', 'kind')
  expect(await cli.run('push', '--alias', 'production')).toMatchObject({ code: 0 })
}

async function moveTone(template: string) {
  const { version } = await cli.transport.register({ name: 'tone', template })
  await cli.transport.moveAlias({ name: 'tone', alias: 'production', to: version })
  return version
}

describe('push', () => {
  it('pushes parts first, and registers the whole text with what it is made of', async () => {
    await write('memory', 'Be {% include "tone@production" %} to {{ user }}.\n')
    await write('tone', 'kind')
    const { code, out } = await cli.run('push', '--alias', 'production')
    expect(code).toBe(0)
    expect(out).toBe(
      'memory  registered v1  production unset -> v1, with tone v1\ntone    registered v1  production unset -> v1\n',
    )
    const { template, tags } = await there('memory')
    expect(template).toBe('Be kind to {{ user }}.')
    const { digest } = await there('tone')
    expect(partsOf(tags)).toEqual([{ name: 'tone', version: 1, alias: 'production', digest }])
    expect((await cli.run('status', '--check', '--strict-parts')).code).toBe(0)
    expect(await cli.run('push', '--alias', 'production')).toMatchObject({
      code: 0,
      out: '',
      err: expect.stringContaining('unchanged=2'),
    })
  })

  it('takes a part that is pushed along, also where only the part changed', async () => {
    await pushBoth()
    await write('tone', 'brief')
    const dry = await cli.run('push', '--alias', 'production', '--dry-run')
    expect(dry.out).toMatch(
      /^memory +would be registered +production v1 -> the new version, with tone as it will be\n/,
    )
    expect(await latest('memory')).toBe(1)
    await cli.run('push', '--alias', 'production')
    expect((await there('memory')).template).toBe('Be brief to {{ user }}.')
    expect((await cli.run('status', '--check', '--strict-parts')).code).toBe(0)
  })

  it('without an alias leaves parts at what their alias says, and takes bare names as they were pushed', async () => {
    await pushBoth()
    await write('greet', '{% include "tone" %}, {% include "tone@production" %}')
    await write('tone', 'brief')
    await cli.run('push')
    expect((await cli.transport.findByVersion('greet', 1)).template).toBe('brief, kind')
    expect(await latest('memory')).toBe(1)
  })

  it('takes a part that is nowhere yet as it was pushed, whatever alias names it', async () => {
    await write('memory', '{% include "tone@production" %}')
    await write('tone', 'kind')
    expect(await cli.run('push')).toMatchObject({ code: 0 })
    expect((await cli.transport.findByVersion('memory', 1)).template).toBe('kind')
  })

  it('registers a file anew when a part has moved on in the registry, and only then', async () => {
    await pushBoth()
    const version = await moveTone('brief')
    await cli.run('pull')
    const pushed = JSON.parse((await cli.run('push', '--alias', 'production', '--json')).out)
    expect(pushed.prompts).toMatchObject([
      { name: 'memory', action: 'registered', version: 2, parts: [{ name: 'tone', version }] },
      { name: 'tone', action: 'unchanged' },
    ])
    expect(JSON.parse((await cli.run('push', '--json')).out).prompts).toMatchObject([
      { name: 'memory', action: 'unchanged', version: 2 },
      { name: 'tone', action: 'unchanged' },
    ])
  })

  it('takes up a version that holds the text with the same parts, and no other', async () => {
    await pushBoth()
    await moveTone('brief')
    await cli.run('pull')
    await cli.run('push') // memory v2 waits
    const { prompts } = JSON.parse((await cli.run('push', '--alias', 'production', '--json')).out)
    expect(prompts).toContainEqual(expect.objectContaining({ name: 'memory', action: 'reused', version: 2 }))
    expect(await latest('memory')).toBe(2)
  })

  it.each([
    {
      rule: 'a part that is nowhere',
      files: { a: 'fine', memory: '---\ndescription: d\n---\n\nx\n{% include "gone@production" %}\n' },
      want: /^error: .*prompts\/memory\.md:6: \{% include "gone@production" %\}: there is no prompt "gone" .*\nA part must be there/,
    },
    {
      rule: 'files that include each other',
      files: { a: '{% include "memory" %}', memory: '{% include "a" %}' },
      want: /cannot include itself: a -> memory -> a/,
    },
    {
      rule: 'a statement that is none',
      files: { a: 'fine', memory: 'x\n{% include a %}' },
      want: /prompts\/memory\.md:2: \{% include a %\}: write/,
    },
    {
      rule: 'a chat prompt',
      files: { a: '---\ntype: chat\n---\n- role: user\n  content: hi\n', memory: '{% include "a" %}' },
      want: /memory\.md:1: .*a chat prompt cannot be part/,
    },
    {
      rule: 'a text that can never be rendered',
      files: { a: 'fine', memory: '---\ndescription: d\n---\n\nx\n  {% if a %}{{ a }}' },
      want: /^ERROR prompts\/memory\.md:6:3: .*\nerror: 1 error: nothing was registered\n.*--no-lint/,
    },
    {
      rule: 'a text that its parts break',
      files: { a: '{% if x %}', memory: '{% include "a" %}\ny {% endfor %}' },
      want: /ERROR prompts\/(a|memory)\.md/,
    },
  ])('registers nothing at all when it meets $rule', async ({ files, want }) => {
    for (const [name, text] of Object.entries(files)) await write(name, text as string)
    const { code, out, err } = await cli.run('push', '--alias', 'production')
    expect({ failed: code > 0, out }).toEqual({ failed: true, out: '' })
    expect(err).toMatch(want)
    expect((await cli.transport.list()).items).toEqual([])
  })

  it('prints warnings, fails on them with --strict, and takes anything with --no-lint', async () => {
    await write('memory', 'a {{ 1b }}')
    const strict = await cli.run('push', '--strict')
    expect(strict).toMatchObject({ code: 1, out: '' })
    expect(strict.err).toMatch(
      /^WARN prompts\/memory\.md:1:3: .*\nerror: 1 warning with --strict: nothing was registered\n$/,
    )
    expect((await cli.run('push')).err).toMatch(/^WARN prompts\/memory\.md:1:3: /)
    await write('memory', '{% set a = 1 %}{{ a }}')
    expect(await cli.run('push')).toMatchObject({ code: 1, out: '' })
    expect(await cli.run('push', '--no-lint')).toMatchObject({ code: 0, out: 'memory  registered v2\n' })
    expect(await cli.run('register', 'x', '--template', '{% if %}')).toMatchObject({ code: 1, out: '' })
    expect(await cli.run('register', 'x', '--template', '{% if %}', '--no-lint')).toMatchObject({ code: 0 })
  })
})

describe('status', () => {
  it('says when a part has moved on: a note, and drift where that is asked for', async () => {
    await pushBoth()
    await moveTone('brief')
    await cli.run('pull', '--only', 'tone')
    const { code, out, err } = await cli.run('status', '--check')
    expect({ code, err }).toEqual({ code: 0, err: '2 files, in step with production.\n' })
    expect(out).toMatch(
      /^memory +same +v1 +tone@production was v1, now v2: promptkeep push prompts --only memory takes it\n/,
    )
    expect((await cli.run('status', '--check', '--strict-parts')).code).toBe(1)
    const { prompts } = JSON.parse((await cli.run('status', '--json')).out)
    expect(prompts[0].movedParts).toEqual([{ name: 'tone', alias: 'production', was: 1, now: 2 }])
  })

  it('takes the same text under another number for no move', async () => {
    await pushBoth()
    await moveTone('kind')
    expect((await cli.run('status', '--json', '--strict-parts')).out).not.toContain('movedParts')
  })

  it('names the part that brought another one along', async () => {
    await write('memory', '{% include "tone" %}!')
    await write('tone', '{% include "words" %}')
    await write('words', 'kind')
    await cli.run('push', '--alias', 'production')
    const { version } = await cli.transport.register({ name: 'words', template: 'brief' })
    await cli.transport.moveAlias({ name: 'words', alias: 'production', to: version })
    await cli.run('pull')
    const { out } = await cli.run('status')
    expect(out).toMatch(/^memory .*words@production was v1, now v2: push tone, then promptkeep push/)
    await cli.run('push', '--alias', 'production')
    expect((await there('memory')).template).toBe('brief!')
    expect((await cli.run('status', '--check', '--strict-parts')).code).toBe(0)
  })

  it('never says so of a part that is named by number', async () => {
    await cli.transport.register({ name: 'tone', template: 'kind' })
    await write('memory', '{% include "tone/1" %}')
    await cli.run('push', '--alias', 'production')
    await moveTone('brief')
    expect((await cli.run('status', '--json', '--check', '--strict-parts')).out).not.toContain('movedParts')
  })
})

describe('pull and diff', () => {
  it('bring back a file as it was written, with its includes', async () => {
    await pushBoth()
    const before = await read('memory')
    await rm(path('memory'))
    await cli.run('pull', '--force')
    expect(await read('memory')).toBe(
      '---\ndescription: d\n---\n\nBe {% include "tone@production" %} to {{ user }}.\n',
    )
    await write('memory', before)
    expect((await cli.run('status', '--check')).code).toBe(0)
    expect((await cli.run('diff', 'memory', './prompts/memory.md')).err).toContain('are the same')
  })

  it('takes the variables of parts for those of the file that lists them', async () => {
    await write('memory', '---\nvariables: [user, mood]\n---\n\n{% include "tone" %} {{ user }}')
    await write('tone', 'kind and {{ mood }}')
    const { code, err } = await cli.run('push', '--alias', 'production')
    expect({ code, err }).toEqual({ code: 0, err: 'registered=2 reused=0 unchanged=0 refused=0\n' })
    await write('memory', '---\nvariables: [user]\n---\n\nold {{ user }}')
    await cli.run('pull', '--force')
    expect(await read('memory')).toMatch(/variables:\n {2}- mood\n {2}- user\n---\n\n\{% include "tone" %\}/)
  })

  it('show what whoever wrote over it said: the text, whole', async () => {
    await pushBoth()
    await cli.transport.register({ name: 'memory', template: 'Theirs' })
    await cli.transport.moveAlias({ name: 'memory', alias: 'production', to: 2 })
    expect((await cli.run('status')).out).toMatch(/^memory +registry newer/)
    await cli.run('pull')
    expect(await read('memory')).toMatch(/\n\nTheirs\n$/)
  })

  it('compare two versions by what is served', async () => {
    await pushBoth()
    await write('tone', 'brief')
    await cli.run('push', '--alias', 'production')
    const { out } = await cli.run('diff', 'memory/1', 'memory/2')
    expect(out).toContain('-Be kind to {{ user }}.\n+Be brief to {{ user }}.')
  })
})

describe('register', () => {
  it('expands a file, with its line where it cannot', async () => {
    await cli.run('register', 'tone', '--template', 'kind', '--alias', 'production')
    await write('memory', 'x\nBe {% include "tone" %}')
    expect(await cli.run('register', 'memory', '--file', 'prompts/memory.md')).toMatchObject({ code: 0 })
    expect((await cli.transport.findByVersion('memory', 1)).template).toBe('x\nBe kind')
    await write('memory', 'x\nBe {% include "tnoe" %}')
    const { code, err } = await cli.run('register', 'memory', '--file', 'prompts/memory.md')
    expect(code).toBe(2)
    expect(err).toMatch(/prompts\/memory\.md:2: \{% include "tnoe" %\}/)
    const typed = await cli.run('register', 'memory', '--template', '{% include "tnoe" %}')
    expect(typed.err).toMatch(/^error: line 1: \{% include "tnoe" %\}/)
    expect(await latest('memory')).toBe(1)
  })
})

describe('lint', () => {
  it('checks a folder without a registry', async () => {
    await write('memory', 'Be {% include "tone" %}{% if user %}{{ user }}{% endif %}')
    await write('tone', '\n\nkind {{ b }}\n{% if x %}')
    const { code, out, err } = await cli.run('lint')
    expect({ code, out, asked: cli.transport.calls }).toEqual({ code: 1, out: '', asked: [] })
    expect(err).toMatch(/^ERROR prompts\/tone\.md:4:1: .*\n2 files: 1 error, 0 warnings\n$/)
    await write('tone', 'kind {{ 1b }}')
    expect(await cli.run('lint', 'prompts')).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^WARN prompts\/tone\.md:1:6: .*\n2 files: 0 errors, 1 warning\n$/),
    })
    expect((await cli.run('lint', 'prompts/tone.md', '--strict')).code).toBe(1)
    const json = JSON.parse((await cli.run('lint', '--json')).out)
    expect(json).toMatchObject({
      errors: 0,
      warnings: 1,
      files: [{ findings: [] }, { file: 'prompts/tone.md' }],
    })
  })

  it('a mistake of one file hides nothing of the others', async () => {
    await write('greeting', '---\nvariables: [name]\n---\nHi {{ nmae }}')
    await write('matter', '---\nvriables: []\n---\nHi')
    await write('part', 'a\nBe {% include tone %}')
    await write('tone', 'kind {% if x %}')
    const { code, err } = await cli.run('lint')
    expect(code).toBe(1)
    expect(err.split('\n')).toEqual([
      'ERROR prompts/greeting.md:2: variables must be those of the text: the text uses nmae (did you mean name?), which it does not list; it lists name, which the text does not use',
      expect.stringMatching(/^ERROR prompts\/matter\.md:2: unknown key "vriables"; allowed are name, /),
      expect.stringMatching(/^ERROR prompts\/part\.md:2: /),
      expect.stringMatching(/^ERROR prompts\/tone\.md:1:6: /),
      '4 files: 4 errors, 0 warnings',
      '',
    ])
    const { errors, files } = JSON.parse((await cli.run('lint', '--json')).out)
    expect({ errors, first: files[0].findings[0] }).toMatchObject({
      errors: 4,
      first: { severity: 'error', kind: 'file', place: 'prompts/greeting.md:2' },
    })
  })

  it('tells of files that include each other, and of the rest', async () => {
    await write('memory', 'Be {% include "tone" %}')
    await write('tone', 'of {% include "memory" %}')
    await write('weather', '{% if x %}')
    const { code, err } = await cli.run('lint')
    expect(code).toBe(1)
    expect(err).toContain(
      'ERROR prompts/memory.md: a prompt cannot include itself: memory -> tone -> memory\n',
    )
    expect(err).toContain('ERROR prompts/weather.md:1:1: ')
    expect(err).toContain('3 files: 2 errors, 0 warnings\n')
  })

  it.each([
    { args: ['nope'], want: /no such folder/ },
    { args: ['nope.md'], want: /does not exist/ },
  ])('says what is not there: $args', async ({ args, want }) => {
    const { code, err } = await cli.run('lint', ...args)
    expect(code).toBe(2)
    expect(err).toMatch(want)
  })
})
