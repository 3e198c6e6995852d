import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { RegistryError } from '@promptkeep/client'
import { readLock } from '@promptkeep/client/files'
import { beforeEach, describe, expect, it } from 'vitest'
import { createTestCli, type TestCli } from '../test-io.ts'

let home: string
let cli: TestCli

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'promptkeep-sync-'))
  await mkdir(join(home, 'prompts'))
  cli = createTestCli(home)
  return () => rm(home, { recursive: true, force: true })
})

const path = (name: string) => join(home, 'prompts', name)
const write = (name: string, text: string) => writeFile(path(`${name}.md`), text)
const read = (name: string) => readFile(path(`${name}.md`), 'utf8')
const lockedNames = async () => Object.keys((await readLock(join(home, 'prompts'))).prompts)

async function states(...args: string[]): Promise<Record<string, string>> {
  const { out } = await cli.run('status', '--json', ...args)
  const { prompts } = JSON.parse(out) as { prompts: { name: string; state: string }[] }
  return Object.fromEntries(prompts.map(({ name, state }) => [name, state]))
}

const versionsOf = async (name: string) => (await cli.transport.find(name)).latestVersion

/** As if a colleague changed it elsewhere. */
async function changeThere(name: string, template: string, alias = 'production') {
  const { version } = await cli.transport.register({ name, template })
  await cli.transport.moveAlias({ name, alias, to: version })
}

describe('status', () => {
  it('walks through a prompt that is written, pushed, edited here and there', async () => {
    await write('memory', 'one')
    expect(await states()).toEqual({ memory: 'only here' })
    await cli.run('push', '--alias', 'production')
    expect(await states()).toEqual({ memory: 'same' })
    await write('memory', 'two')
    expect(await states()).toEqual({ memory: 'file newer' })
    await changeThere('memory', 'three')
    expect(await states()).toEqual({ memory: 'both changed' })
    await write('memory', 'one')
    expect(await states()).toEqual({ memory: 'registry newer' })
    await rm(path('memory.md'))
    expect(await states()).toEqual({ memory: 'only there' })
  })

  it('sees changed settings, and neither line ends nor blank lines', async () => {
    await write('memory', '---\nmodel_config: { top_k: 3 }\n---\none\ntwo\n')
    await cli.run('push', '--alias', 'production')
    await write('memory', '---\r\n# a note\r\nmodel_config:\r\n  top_k: 3\r\n---\r\n\r\none\r\ntwo\r\n\r\n')
    expect(await states()).toEqual({ memory: 'same' })
    await write('memory', '---\nmodel_config: { top_k: 4 }\n---\none\ntwo\n')
    expect(await states()).toEqual({ memory: 'file newer' })
  })

  it('after a push without an alias says which version waits, and how to point the alias', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await write('memory', 'two')
    await cli.run('push')
    const { out, err } = await cli.run('status')
    expect(out).toBe('memory  file newer  v1  v2 holds this text: promptkeep alias memory production 2\n')
    expect(err).toBe('1 of 1 prompts out of step with production.\n')
  })

  it('after a first push without an alias says the same', async () => {
    await write('memory', 'one')
    await cli.run('push')
    expect((await cli.run('status')).out).toBe(
      'memory  only here  -  v1 holds this text, and no alias points at it: promptkeep alias memory production 1\n',
    )
  })

  it('takes an alias that was rolled back after the push for the newer word', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await write('memory', 'two')
    await cli.run('push', '--alias', 'production')
    await cli.run('alias', 'memory', 'production', '1')
    expect((await cli.run('status')).out).toBe(
      'memory  registry newer  v1  the file is v2, production is now at v1: promptkeep pull prompts\n',
    )
  })

  it('takes a registry that was seeded from an older checkout for the older one', async () => {
    await cli.transport.seed({ name: 'memory', template: 'old default', alias: 'production' })
    await write('memory', 'new default')
    expect(await states()).toEqual({ memory: 'file newer' })
  })

  it('--check is exit 1 on drift; what others keep in the registry is none, a file that is gone is', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await changeThere('others', 'text')
    expect(await cli.run('status', '--check')).toMatchObject({ code: 0 })
    await write('memory', 'two')
    expect(await cli.run('status', '--check')).toMatchObject({ code: 1 })
    expect(await cli.run('status')).toMatchObject({ code: 0 })
    await rm(path('memory.md'))
    expect(await cli.run('status', '--check', '--json')).toMatchObject({ code: 1 })
  })

  it('compares with another alias, and with production where a prompt lacks it', async () => {
    await write('memory', 'one')
    await write('weather', 'sun')
    await cli.run('push', '--alias', 'production')
    await changeThere('memory', 'candidate', 'experiment')
    expect(await states('--alias', 'experiment')).toEqual({ memory: 'registry newer', weather: 'same' })
    expect((await cli.run('status', '--alias', 'experiment')).out).toMatch(/weather +same +production v1/)
  })

  it.each([
    {
      rule: 'a missing folder',
      args: ['none'],
      want: 'none: there is no such folder\nName the folder of the prompt files: promptkeep status ',
    },
    {
      rule: 'an alias that no prompt has',
      args: ['--alias', 'nope', 'empty'],
      want: 'no prompt has the alias nope',
    },
    { rule: 'a bad file', args: [], want: 'prompts/bad.md:2: unknown key "temprature"' },
  ])('refuses $rule', async ({ args, want }) => {
    await mkdir(join(home, 'empty'))
    await write('bad', '---\ntemprature: 1\n---\ntext')
    const { code, out, err } = await cli.run('status', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(`error: ${want}`)
  })
})

describe('push', () => {
  it('registers what changed, and nothing twice', async () => {
    await write('memory', 'one')
    await write('weather', 'sun')
    expect(await cli.run('push')).toMatchObject({ code: 0, err: expect.stringContaining('registered=2') })
    expect(await cli.run('push')).toMatchObject({
      code: 0,
      err: expect.stringContaining('registered=0 reused=2'),
    })
    await cli.run('push', '--alias', 'production')
    expect(await cli.run('push', '--alias', 'production')).toMatchObject({
      err: expect.stringContaining('unchanged=2'),
    })
    expect([await versionsOf('memory'), await versionsOf('weather')]).toEqual([1, 1])
    await write('memory', 'two')
    const { out } = await cli.run('push', '--alias', 'production', '--message', 'warmer')
    expect(out).toBe('memory  registered v2  production v1 -> v2\n')
    expect(JSON.parse((await cli.run('show', 'memory', '--json')).out)).toMatchObject({
      version: 2,
      commitMessage: 'warmer',
    })
  })

  it('finds an old text again when it is the newest word, and moves the alias there when asked', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await write('memory', 'two')
    await cli.run('push', '--alias', 'production')
    await write('memory', 'one')
    for (const _ of ['once', 'again'])
      expect(await cli.run('push')).toMatchObject({ code: 0, out: 'memory  v1 holds this text\n' })
    expect((await cli.run('status')).out).toBe(
      'memory  file newer  v2  v1 holds this text: promptkeep alias memory production 1\n',
    )
    const { out } = await cli.run('push', '--alias', 'production')
    expect(out).toBe('memory  v1 holds this text  production v2 -> v1\n')
    expect(await versionsOf('memory')).toBe(2)
    expect(await states()).toEqual({ memory: 'same' })
  })

  it('finds the text of a version that was rolled back', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await write('memory', 'two')
    await cli.run('push', '--alias', 'production')
    await cli.run('alias', 'memory', 'production', '1')
    await cli.run('pull')
    await write('memory', 'two')
    expect((await cli.run('push', '--alias', 'production')).out).toBe(
      'memory  v2 holds this text  production v1 -> v2\n',
    )
    expect(await versionsOf('memory')).toBe(2)
  })

  it('with an alias that only candidates have moves the changed prompts only', async () => {
    await write('memory', 'one')
    await write('weather', 'sun')
    await cli.run('push', '--alias', 'production')
    await write('memory', 'two')
    await cli.run('push', '--alias', 'experiment')
    expect((await cli.transport.find('memory')).aliases).toEqual({ production: 1, experiment: 2 })
    expect((await cli.transport.find('weather')).aliases).toEqual({ production: 1 })
  })

  it('says why an alias that candidates have is not set where the file is the same as production', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    const { code, out, err } = await cli.run('push', '--alias', 'experiment')
    expect({ code, out }).toEqual({ code: 0, out: '' })
    expect(err).toContain('memory: same as production, so experiment was not set; ')
    expect((await cli.transport.find('memory')).aliases).toEqual({ production: 1 })
  })

  it('sets such an alias for a prompt that --only names, and then has nothing left to do', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    const args = ['push', '--alias', 'experiment', '--only', 'memory']
    await cli.run(...args, '--dry-run')
    expect((await cli.transport.find('memory')).aliases).toEqual({ production: 1 })
    expect((await cli.run(...args)).out).toBe('memory  v1 holds this text  experiment unset -> v1\n')
    expect((await cli.transport.find('memory')).aliases).toEqual({ experiment: 1, production: 1 })
    expect((await cli.run(...args)).err).toBe('registered=0 reused=0 unchanged=1 refused=0\n')
  })

  it('writes nothing in a dry run', async () => {
    await write('memory', 'one')
    const { out, err } = await cli.run('push', '--dry-run', '--alias', 'production')
    expect(out).toBe('memory  would be registered  production unset -> the new version\n')
    expect(err).toBe('would register=1 reuse=0 unchanged=0 refused=0\n')
    expect(JSON.parse((await cli.run('list', '--json')).out)).toEqual({ prompts: [] })
    expect(await readdir(join(home, 'prompts'))).toEqual(['memory.md'])
  })

  it('refuses what is newer there, pushes the rest, and goes over it when forced', async () => {
    await write('memory', 'one')
    await write('weather', 'sun')
    await cli.run('push', '--alias', 'production')
    await changeThere('memory', 'theirs')
    await write('weather', 'rain')
    const refused = await cli.run('push', '--alias', 'production')
    expect(refused.code).toBe(1)
    expect(refused.out).toMatch(/memory +refused +the registry has newer text \(v2\)/)
    expect(refused.out).toMatch(/weather +registered v2 +production v1 -> v2/)
    await write('memory', 'mine')
    expect((await cli.run('push')).out).toMatch(/memory +refused +it changed here and in the registry/)
    expect(await cli.run('push', '--force', '--only', 'memory', '--alias', 'production')).toMatchObject({
      code: 0,
    })
    expect(await states()).toEqual({ memory: 'same', weather: 'same' })
  })

  it('loses to a move that came in between, and keeps what was registered', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await write('memory', 'two')
    const { createRegistry } = await import('@promptkeep/client')
    const raced = cli.with({
      createRegistry: (options) => {
        const registry = createRegistry({ ...options, transport: cli.transport })
        return {
          ...registry,
          async register(draft) {
            const version = await registry.register(draft)
            await changeThere('memory', 'theirs')
            return version
          },
        }
      },
    })
    expect(await raced.run('push', '--alias', 'production')).toMatchObject({
      code: 1,
      err:
        'error: alias "production" of "memory" is at v3, moved since push compared; v2 is registered and waits\n' +
        'See who moved it: promptkeep history memory; then: promptkeep alias memory production 2\n',
    })
    expect((await cli.transport.find('memory')).aliases).toEqual({ production: 3 })
    expect(await versionsOf('memory')).toBe(3)
  })

  it('remembers in the lock what it pushed before the registry went away', async () => {
    await write('a', 'one')
    await write('b', 'two')
    const { createRegistry } = await import('@promptkeep/client')
    const failing = cli.with({
      createRegistry: (options) => {
        const registry = createRegistry({ ...options, transport: cli.transport })
        const register: typeof registry.register = (draft) =>
          draft.name === 'b'
            ? Promise.reject(new RegistryError('UNAVAILABLE', 'gone'))
            : registry.register(draft)
        return { ...registry, register }
      },
    })
    expect(await failing.run('push')).toMatchObject({ code: 2, err: expect.stringContaining('gone') })
    expect(await lockedNames()).toEqual(['a'])
    await cli.run('push')
    expect(await lockedNames()).toEqual(['a', 'b'])
    expect(await versionsOf('a')).toBe(1)
  })

  it('names itself in the hint about a missing folder', async () => {
    const { code, err } = await cli.run('push', 'none')
    expect(code).toBe(2)
    expect(err).toContain('promptkeep push apps/assistant/prompts')
  })

  it('says which variables a text adds and drops, also in a dry run', async () => {
    await write('weather', '{{ city }} {{ x }}')
    expect((await cli.run('push', '--alias', 'production')).err).not.toContain('WARN')
    await write('weather', '{{ city }} {{ nobody }}')
    const line = 'WARN weather: new variable nobody; gone: x\n'
    expect((await cli.run('push', '--dry-run')).err).toContain(line)
    expect((await cli.run('push')).err).toContain(line)
    expect((await cli.run('push', '--alias', 'production')).err).toContain(line)
    expect((await cli.run('push', '--alias', 'production')).err).not.toContain('WARN')
  })

  it('accepts that a file is gone', async () => {
    await write('a', 'one')
    await write('b', 'two')
    await cli.run('push', '--alias', 'production')
    await rm(path('b.md'))
    await cli.run('push')
    expect(await lockedNames()).toEqual(['a'])
    expect(await cli.run('status', '--check')).toMatchObject({ code: 0 })
  })

  it('names a prompt of --only that is nowhere', async () => {
    await write('a', 'one')
    expect(await cli.run('push', '--only', 'a', 'c')).toMatchObject({
      code: 2,
      err: expect.stringContaining('a prompt c'),
    })
  })

  it('tags file, commit and whether the file was committed', async () => {
    const run = promisify(execFile)
    const git = async (args: readonly string[], cwd: string) => {
      const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false']
      return await run('git', [...identity, ...args], { cwd }).then(
        ({ stdout }) => stdout,
        () => undefined,
      )
    }
    await git(['init', '-q'], home)
    await write('memory', 'one')
    await git(['add', '.'], home)
    await git(['commit', '-q', '-m', 'first'], home)
    const commit = (await git(['rev-parse', 'HEAD'], home))?.trim() ?? ''
    const inGit = cli.with({ git })
    await inGit.run('push', '--alias', 'production')
    const clean = await cli.transport.findByVersion('memory', 1)
    expect(clean.tags).toEqual({
      'promptkeep.source_file': 'prompts/memory.md',
      'promptkeep.git_commit': commit,
    })
    expect(clean.commitMessage).toBe(`prompts/memory.md at ${commit.slice(0, 10)}`)
    await write('memory', 'two')
    await inGit.run('push')
    expect((await cli.transport.findByVersion('memory', 2)).tags).toMatchObject({
      'promptkeep.git_dirty': 'true',
    })
  })
})

describe('pull', () => {
  it('writes what is newer there, and keeps a person’s front matter', async () => {
    await write('memory', '---\n# ours\ndescription: d # short\n---\none {{ a }}\n')
    await cli.run('push', '--alias', 'production')
    await changeThere('memory', 'two {{ b }}')
    expect(await cli.run('pull')).toMatchObject({ code: 0, out: 'memory  written from v2\n' })
    expect(await read('memory')).toBe('---\n# ours\ndescription: d # short\n---\n\ntwo {{ b }}\n')
    expect(await states()).toEqual({ memory: 'same' })
    expect(await cli.run('pull')).toMatchObject({
      code: 0,
      out: '',
      err: 'written=0 unchanged=1 refused=0\n',
    })
  })

  it('fills a new folder: text, settings, description and tags', async () => {
    await cli.run(
      'register',
      'memory',
      '--template',
      'one',
      '--message',
      'd',
      '--tag',
      'team=core',
      '--alias',
      'production',
    )
    await cli.run('register', 'draft', '--template', 'not aliased')
    await cli.run(
      'register',
      'chat',
      '--chat',
      '--template',
      '[{"role":"user","content":"{{ q }}"}]',
      '--alias',
      'production',
    )
    expect((await cli.run('pull', 'new/folder', '--all', '--dry-run')).err).toContain('would write=2 ')
    await cli.run('pull', 'new/folder', '--all')
    expect((await readdir(join(home, 'new/folder'))).sort()).toEqual([
      'chat.md',
      'memory.md',
      'promptkeep.lock.json',
    ])
    expect(await readFile(join(home, 'new/folder/memory.md'), 'utf8')).toBe(
      '---\ndescription: d\ntags:\n  team: core\n---\n\none\n',
    )
    expect(await states('new/folder')).toEqual({ chat: 'same', draft: 'only there', memory: 'same' })
  })

  it('makes no folder for a slip in its name', async () => {
    await changeThere('memory', 'one')
    const { code, out, err } = await cli.run('pull', 'promts')
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(/^error: promts: there is no such folder\n--all makes it/)
    expect(await readdir(home)).toEqual(['prompts'])
  })

  it('refuses an alias that nothing here has, instead of pulling production', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await changeThere('memory', 'two')
    expect(await cli.run('pull', '--alias', 'prodution')).toMatchObject({
      code: 2,
      err: 'error: no prompt to pull has the alias prodution\nDid you mean production?\n',
    })
    expect(await read('memory')).toBe('one')
  })

  it('leaves prompts alone that have neither file nor lock entry here, and says how many there are', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await changeThere('memory', 'two')
    await changeThere('greeting', 'theirs')
    await cli.transport.register({ name: 'draft', template: 'nobody serves it' })
    const pulled = await cli.run('pull')
    expect(pulled).toMatchObject({ code: 0, out: 'memory  written from v2\n' })
    expect(pulled.err).toMatch(/^1 more in the registry: .*--all/m)
    expect(await readdir(join(home, 'prompts'))).toEqual(['memory.md', 'promptkeep.lock.json'])
  })

  it.each([{ args: ['--only', 'greeting'] }, { args: ['--all'] }])(
    'takes one without a file when asked to: $args',
    async ({ args }) => {
      await write('memory', 'one')
      await cli.run('push', '--alias', 'production')
      await changeThere('greeting', 'theirs')
      expect(await cli.run('pull', ...args)).toMatchObject({ code: 0, out: 'greeting  written from v1\n' })
      expect(await read('greeting')).toBe('theirs\n')
      await changeThere('greeting', 'theirs, later')
      expect((await cli.run('pull')).out).toBe('greeting  written from v2\n')
    },
  )

  it('takes --all or --only, not both', async () => {
    const { code, err } = await cli.run('pull', '--all', '--only', 'memory')
    expect(code).toBe(2)
    expect(err).toContain('--all')
  })

  it('refuses over local edits, and overwrites them when forced', async () => {
    await write('memory', 'one')
    await write('weather', 'sun')
    await cli.run('push', '--alias', 'production')
    await write('memory', 'edited here')
    await changeThere('weather', 'rain')
    const refused = await cli.run('pull')
    expect(refused.code).toBe(1)
    expect(refused.out).toMatch(/memory +refused +it has local edits/)
    expect([await read('memory'), await read('weather')]).toEqual(['edited here', 'rain\n'])
    expect(await cli.run('pull', '--force')).toMatchObject({ code: 0 })
    expect(await read('memory')).toBe('one\n')
    expect(await states()).toEqual({ memory: 'same', weather: 'same' })
  })

  it('brings a file back that was removed here only when forced', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await rm(path('memory.md'))
    expect(await cli.run('pull')).toMatchObject({ code: 1, out: expect.stringContaining('removed here') })
    expect(await cli.run('pull', '--force')).toMatchObject({ code: 0 })
    expect(await read('memory')).toBe('one\n')
  })

  it('takes back what was pushed and not promoted only when forced', async () => {
    await write('memory', 'one')
    await cli.run('push', '--alias', 'production')
    await write('memory', 'two')
    await cli.run('push')
    expect(await cli.run('pull')).toMatchObject({ code: 1 })
    expect(await read('memory')).toBe('two')
  })

  it('writes nothing in a dry run', async () => {
    await changeThere('memory', 'theirs')
    expect((await cli.run('pull', '--dry-run')).out).toBe('memory  would be written from v1\n')
    expect(await readdir(join(home, 'prompts'))).toEqual([])
  })

  it('leaves alone a prompt whose name no file can have', async () => {
    await cli.transport.plant({ name: 'a b', template: 'text' })
    await cli.transport.moveAlias({ name: 'a b', alias: 'production', to: 1 })
    await changeThere('memory', 'fine')
    const { code, out } = await cli.run('pull')
    expect({ code, out }).toEqual({ code: 0, out: 'memory  written from v1\n' })
    expect((await cli.run('status')).out).toMatch(/^a b +only there +- +its name cannot be that of a file\n/)
    expect(await readdir(join(home, 'prompts'))).toEqual(['memory.md', 'promptkeep.lock.json'])
  })
})
