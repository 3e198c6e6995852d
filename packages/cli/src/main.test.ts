import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RegistryError } from '@promptkeep/client'
import { beforeEach, describe, expect, it } from 'vitest'
import { createTestCli, type TestCli } from './test-io.ts'

let dir: string
let cli: TestCli

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  cli = createTestCli(dir)
  return () => rm(dir, { recursive: true, force: true })
})

/** `memory` with three versions; production at v2. */
async function stock() {
  await cli.run('register', 'memory', '--template', 'one', '--message', 'first', '--alias', 'production')
  await cli.run('register', 'memory', '--template', 'one\ntwo', '--alias', 'production')
  await cli.run('register', 'memory', '--template', 'one\n2', '--model-config', '{"temperature":0.5}')
}

describe('usage', () => {
  it('prints the version and help, with an example in every command', async () => {
    expect(await cli.run('--version')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
    const help = await cli.run('--help')
    expect(help).toMatchObject({ code: 0, err: '' })
    const commands = [...help.out.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1] ?? '')
    expect(commands).toEqual(expect.arrayContaining(['serve', 'list', 'show', 'register', 'alias', 'diff']))
    const inner = ['token create', 'token list', 'token revoke', 'policy set', 'policy list', 'policy remove']
    for (const command of [...commands.filter((name) => name !== 'help'), ...inner]) {
      const { code, out } = await cli.run(...command.split(' '), '--help')
      expect(`${code} ${out}`, command).toMatch(new RegExp(`^0 [^]*\\n {2}\\$ .*promptkeep ${command}`))
    }
  })

  it.each([
    { rule: 'no command', args: [], want: 'Usage: promptkeep' },
    { rule: 'an unknown command', args: ['lst'], want: "unknown command 'lst'\nDid you mean list?" },
    { rule: 'a misplaced option', args: ['--json', 'list'], want: "unknown option '--json'" },
    { rule: 'an unknown option', args: ['list', '--jsn'], want: "'--jsn'\nDid you mean --json?" },
    { rule: 'a missing argument', args: ['show'], want: "missing required argument 'ref'" },
    { rule: 'an argument too many', args: ['list', 'a'], want: 'too many arguments' },
    {
      rule: 'a bad version',
      args: ['alias', 'a', 'b', 'x'],
      want: 'error: version must be a version number; got "x"\n',
    },
    { rule: 'version 0', args: ['alias', 'a', 'b', '0'], want: 'version must be a whole number from 1' },
    {
      rule: 'a bad limit',
      args: ['history', 'a', '--limit', '0'],
      want: 'error: --limit must be a whole number from 1 to 1000; got "0"\n',
    },
    {
      rule: 'a bad --expect',
      args: ['alias', 'a', 'b', '1', '--expect', '-'],
      want: '--expect must be a version number, or "none"',
    },
    {
      rule: 'model config that is no object',
      args: ['register', 'a', '--model-config', '[1]'],
      want: '--model-config must be a JSON object',
    },
    {
      rule: 'a tag without a value',
      args: ['register', 'a', '--tag', 'k'],
      want: '--tag must be key=value; got "k"',
    },
    { rule: 'a bad reference', args: ['show', 'a b'], want: 'must be letters, digits' },
    {
      rule: 'a bad tracking uri',
      args: ['list', '--tracking-uri', ''],
      want: 'error: --tracking-uri must be',
    },
  ])('$rule is exit 2 and says what to do', async ({ args, want }) => {
    const real = args.includes('--tracking-uri')
    const { createRegistry } = await import('@promptkeep/client')
    const { code, out, err } = await (real ? cli.with({ createRegistry }) : cli).run(...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(want)
  })
})

describe('help', () => {
  const VERBS =
    /^(append|ask|bring|check|compare|copy|give|keep|let|list|listen|judge|make|open|overwrite|pass|point|print|pull|push|put|read|record|refuse|register|restore|run|say|set|share|show|tag|take|tell|use|wait|write|exit) /i

  it('tells everything in one mood, without a full stop', async () => {
    const { createProgram } = await import('./program.ts')
    const { createIo } = await import('./io.ts')
    const program = createProgram({ ...createIo(process), setExitCode() {} }, '0')
    const commands = program.commands.flatMap((command) => [command, ...command.commands])
    const texts = commands.flatMap((command) => [
      command.description(),
      ...command.options.map((option) => option.description),
    ])
    expect(texts.filter((text) => !VERBS.test(text) || text.endsWith('.'))).toEqual([])
    const help = (await cli.run('--help')).out
    expect(help).toMatch(/-V, --version +print the version\n +-h, --help +print this text\n/)
    expect(help).toMatch(/help \[command\] +print the help of a command\n/)
  })
})

describe('an alias that nobody can set', () => {
  it.each([
    ['push', '--alias', 'a b'],
    ['push', '--alias', 'latest', '--dry-run'],
    ['pull', '--alias', 'v3'],
    ['status', '--alias', 'a b'],
    ['register', 'x', '--template', 't', '--alias', 'latest'],
    ['alias', 'x', 'a b', '1'],
  ])('is refused before anything is asked: %s %s %s', async (...args) => {
    const { code, out, err } = await cli.run(...args)
    expect({ code, out, calls: cli.transport.calls }).toEqual({ code: 2, out: '', calls: [] })
    expect(err).toMatch(/^error: (--)?alias must be .*; got "(a b|latest|v3)"\n$/)
  })
})

describe('an address that cannot be used', () => {
  it.each([
    { args: ['--tracking-uri', 'foo'], env: {}, want: '--tracking-uri' },
    { args: [], env: { MLFLOW_TRACKING_URI: 'foo' }, want: 'MLFLOW_TRACKING_URI' },
  ])('is shown, with $want', async ({ args, env, want }) => {
    const { createRegistry } = await import('@promptkeep/client')
    const { code, err } = await cli.with({ createRegistry, env }).run('list', ...args)
    expect({ code, err }).toEqual({
      code: 2,
      err: `error: ${want} must be an http or https address, such as http://127.0.0.1:5055; got "foo"\n`,
    })
  })

  it('is no outage when something answers there that is no registry', async () => {
    const message = 'http://x is no registry: it does not know this path (HTTP 404); check the tracking URI'
    cli.transport.fault({ kind: 'error', error: new RegistryError('UNAVAILABLE', message, { status: 404 }) })
    const { code, err } = await cli.run('list')
    expect({ code, err }).toEqual({
      code: 2,
      err: 'error: http://x is no registry: it does not know this path (HTTP 404); check --tracking-uri or MLFLOW_TRACKING_URI\n',
    })
  })
})

describe('list, show, history', () => {
  it('says how to begin with an empty registry', async () => {
    expect(await cli.run('list')).toMatchObject({
      code: 0,
      out: '',
      err: expect.stringContaining('promptkeep register'),
    })
    expect(JSON.parse((await cli.run('list', '--json')).out)).toEqual({ prompts: [] })
  })

  it('lists prompts with newest version and aliases', async () => {
    await stock()
    const { code, out } = await cli.run('list')
    expect(code).toBe(0)
    expect(out).toMatch(
      /^NAME +NEWEST +ALIASES +CHANGED +DESCRIPTION\nmemory +v3 +production=v2 +\d{4}-.* UTC +first\n$/,
    )
    expect(JSON.parse((await cli.run('list', '--json')).out).prompts).toMatchObject([
      {
        name: 'memory',
        latestVersion: 3,
        aliases: { production: 2 },
        updatedAt: expect.stringMatching(/Z$/),
      },
    ])
  })

  it.each([
    { ref: 'memory', version: 2 },
    { ref: 'memory@production', version: 2 },
    { ref: 'memory@latest', version: 3 },
    { ref: 'memory/1', version: 1 },
    { ref: 'prompts:/memory/3', version: 3 },
    { ref: 'prompts:/memory@production', version: 2 },
  ])('shows $ref', async ({ ref, version }) => {
    await stock()
    expect(JSON.parse((await cli.run('show', ref, '--json')).out)).toMatchObject({ name: 'memory', version })
  })

  it('shows text, settings and tags', async () => {
    await stock()
    const { out } = await cli.run('show', 'memory@latest')
    expect(out).toMatch(
      /^prompt {3}memory v3\ncreated {2}.* UTC\ndigest {3}[0-9a-f]{64}\nmodel {4}\{"temperature":0.5\}\n\none\n2\n$/,
    )
  })

  it("does not let a prompt write on a person's screen, and gives a pipe the bytes", async () => {
    await cli.transport.plant({ name: 'evil', template: 'a\u001B[2Jb' })
    const screen = cli.with({ out: { isTty: true, write() {} } })
    expect((await screen.run('show', 'evil@latest')).out).toContain('a\\u{001b}[2Jb')
    expect((await cli.run('show', 'evil@latest')).out).toContain('a\u001B[2Jb')
  })

  it.each([
    { ref: 'memroy', want: ['there is no prompt "memroy"', 'Did you mean memory?'] },
    { ref: 'memory@prod', want: ['has no alias "prod"; it has production (v2)', 'memory/3'] },
    { ref: 'memory@prodution', want: ['Did you mean production?'] },
    { ref: 'memory/9', want: ['has no version 9; its newest is v3'] },
  ])('explains why there is no $ref', async ({ ref, want }) => {
    await stock()
    const { code, err } = await cli.run('show', ref)
    expect(code).toBe(2)
    for (const text of want) expect(err).toContain(text)
  })

  it('tells what happened, newest first, page by page', async () => {
    await stock()
    await cli.run('alias', 'memory', 'production', '3', '--reason', 'shorter')
    const { out, err } = await cli.run('history', 'memory', '--limit', '2')
    expect(out.split('\n')[0]).toMatch(/^#6 .* alias.moved +production v2 -> v3 +memory +shorter$/)
    expect(out.split('\n')[1]).toMatch(/^#5 .* version.registered +v3/)
    const next = /--page-token (\S+)/.exec(err)?.[1] ?? ''
    const page = JSON.parse((await cli.run('history', 'memory', '--page-token', next, '--json')).out)
    expect(page).toMatchObject({ prompt: 'memory', complete: true })
    expect(page.changes.map((change: { seq: number }) => change.seq)).toEqual([4, 3, 2, 1])
  })
})

describe('history', () => {
  it('of a deleted prompt is still told', async () => {
    await cli.run('register', 'gone', '--template', 'one', '--alias', 'production')
    cli.transport.remove('gone')
    const { code, out } = await cli.run('history', 'gone')
    expect(code).toBe(0)
    expect(out.split('\n')[0]).toMatch(/ prompt\.deleted/)
    expect(out).toMatch(/version\.registered +v1/)
  })

  it('shows the message of a version that was registered', async () => {
    await stock()
    const { out } = await cli.run('history', 'memory')
    expect(out).toMatch(/version\.registered +v1 +first\n$/)
    const { changes } = JSON.parse((await cli.run('history', 'memory', '--json')).out)
    expect(changes.at(-1)).toMatchObject({ kind: 'version.registered', to: 1, commitMessage: 'first' })
    cli.transport.remove('memory')
    await cli.run('register', 'memory', '--template', 'one', '--message', 'anew')
    const after = (await cli.run('history', 'memory')).out
    expect(after.split('\n')[0]).toMatch(/version\.registered +v1 +anew$/)
    expect(after.match(/anew|first/g)).toEqual(['anew'])
  })

  it('of a prompt that never was suggests the nearest name', async () => {
    await cli.run('register', 'memory', '--template', 'one')
    expect(await cli.run('history', 'memroy')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Did you mean memory?'),
    })
  })
})

describe('register', () => {
  it('takes the text from a flag, a file, a prompt file or a pipe', async () => {
    await writeFile(join(dir, 'a.txt'), '\r\nfrom a file\r\n')
    await writeFile(
      join(dir, 'b.md'),
      '---\ndescription: d\nmodel_config: { top_k: 3 }\n---\nfrom a prompt file',
    )
    const texts = async (...args: string[]) => {
      const { code } = await cli.with({ readStdin: async () => 'piped\n' }).run('register', 'x', ...args)
      expect(code).toBe(0)
      const { template, modelConfig, commitMessage } = JSON.parse(
        (await cli.run('show', 'x@latest', '--json')).out,
      )
      return { template, modelConfig, commitMessage }
    }
    expect(await texts('--template', 'given')).toEqual({ template: 'given', commitMessage: '' })
    expect(await texts('--file', 'a.txt', '--message', 'm')).toEqual({
      template: 'from a file',
      commitMessage: 'm',
    })
    expect(await texts('--file', 'b.md')).toEqual({
      template: 'from a prompt file',
      modelConfig: { top_k: 3 },
      commitMessage: 'd',
    })
    expect(await texts()).toEqual({ template: 'piped', commitMessage: '' })
    expect(await texts('--file', '-')).toEqual({ template: 'piped', commitMessage: '' })
  })

  it('keeps tags, settings and format, and points an alias', async () => {
    await writeFile(join(dir, 'format.json'), '{"type":"object"}')
    const { code, out } = await cli.run(
      ...['register', 'x', '--template', 't', '--tag', 'a=1', '--tag', 'b=x=y', '--alias', 'experiment'],
      ...['--model-config', '{"temperature":0}', '--response-format', 'format.json'],
    )
    expect({ code, out }).toEqual({ code: 0, out: 'registered x v1\nx@experiment: unset -> v1\n' })
    expect(JSON.parse((await cli.run('show', 'x@experiment', '--json')).out)).toMatchObject({
      tags: { a: '1', b: 'x=y' },
      modelConfig: { temperature: 0 },
      responseFormat: { type: 'object' },
      aliases: ['experiment'],
    })
  })

  it('says which variables a text adds and drops', async () => {
    await cli.run('register', 'x', '--template', 'a {{ b }}', '--alias', 'production')
    const { code, out, err } = await cli.run(
      'register',
      'x',
      '--template',
      '{% if c %}{{ c }}{{ d }}{% endif %}',
    )
    expect({ code, out }).toEqual({ code: 0, out: 'registered x v2\n' })
    expect(err).toBe('WARN x: new variables c, d; gone: b\n')
  })

  it('registers a chat prompt', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: '{{ question }}' },
    ]
    await cli.run('register', 'chat', '--chat', '--template', JSON.stringify(messages))
    expect((await cli.run('show', 'chat/1')).out).toContain(
      '\n[system]\nBe brief.\n\n[user]\n{{ question }}\n',
    )
  })

  it.each([
    { rule: 'no text', args: [], want: 'there is no text' },
    { rule: 'two texts', args: ['--template', 'a', '--file', 'b'], want: 'given twice' },
    { rule: 'an empty text', args: ['--template', ' \n'], want: 'template is empty' },
    { rule: 'a missing file', args: ['--file', 'none.txt'], want: 'none.txt: does not exist' },
    { rule: 'a chat that is no list', args: ['--chat', '--template', '{}'], want: 'a JSON list of messages' },
    {
      rule: 'a setting out of range',
      args: ['--template', 'a', '--model-config', '{"temperature":-1}'],
      want: 'temperature',
    },
    { rule: 'an illegal name', name: 'a/b', args: ['--template', 'a'], want: 'name must be letters, digits' },
  ])('refuses $rule and stores nothing', async ({ args, want, name = 'x' }) => {
    const { code, err } = await cli.run('register', name, ...args)
    expect(code).toBe(2)
    expect(err).toContain(want)
    expect(JSON.parse((await cli.run('list', '--json')).out)).toEqual({ prompts: [] })
  })

  it('says that the version stays when its alias is refused', async () => {
    const { createRegistry } = await import('@promptkeep/client')
    const forbidden = cli.with({
      createRegistry: (options) => ({
        ...createRegistry({ ...options, transport: cli.transport }),
        setAlias: () => Promise.reject(new RegistryError('FORBIDDEN', 'not yours')),
      }),
    })
    const { code, err } = await forbidden.run('register', 'x', '--template', 'a', '--alias', 'live')
    expect(code).toBe(2)
    expect(err).toMatch(
      /x v1 is registered, but its alias is not set: not yours[\s\S]*promptkeep alias x live 1/,
    )
  })
})

describe('alias', () => {
  it('moves, and says from where', async () => {
    await stock()
    expect(await cli.run('alias', 'memory', 'production', 'v3')).toMatchObject({
      code: 0,
      out: 'memory@production: v2 -> v3\n',
    })
    expect(await cli.run('alias', 'memory', 'experiment', '1', '--expect', 'none')).toMatchObject({
      code: 0,
      out: 'memory@experiment: unset -> v1\n',
    })
  })

  it('moves nothing in a dry run', async () => {
    await stock()
    const { code, out } = await cli.run('alias', 'memory', 'production', '3', '--dry-run')
    expect({ code, out }).toEqual({ code: 0, out: 'memory@production: v2 -> v3  (dry run: nothing moved)\n' })
    expect((await cli.run('show', 'memory', '--json')).out).toContain('"version": 2')
  })

  it.each([{ more: [] }, { more: ['--dry-run'] }])(
    'is exit 1 when another version is there $more',
    async ({ more }) => {
      await stock()
      const { code, err } = await cli.run('alias', 'memory', 'production', '3', '--expect', '1', ...more)
      expect(code).toBe(1)
      expect(err).toBe(
        'error: alias "production" of "memory" is at v2, not as --expect 1 says; nothing moved\n' +
          'See who moved it: promptkeep history memory; then give --expect the version it is at.\n',
      )
      expect((await cli.run('show', 'memory', '--json')).out).toContain('"version": 2')
    },
  )

  it.each([
    { args: ['memory', 'production', '9'], want: 'no version 9' },
    { args: ['memoryy', 'production', '1'], want: 'Did you mean memory?' },
    { args: ['memory', 'latest', '1'], want: 'reserved' },
    { args: ['memory', 'v3', '1', '--dry-run'], want: 'reserved' },
  ])('refuses $args', async ({ args, want }) => {
    await stock()
    const { code, err } = await cli.run('alias', ...args)
    expect(code).toBe(2)
    expect(err).toContain(want)
  })
})

describe('diff', () => {
  it('shows lines of text and settings that differ', async () => {
    await stock()
    const { code, out } = await cli.run('diff', 'memory', 'memory@latest')
    expect(code).toBe(0)
    expect(out).toBe(
      `--- memory v2 template\n+++ memory v3 template\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n` +
        `--- memory v2 model_config\n+++ memory v3 model_config\n@@ -0,0 +1,3 @@\n+{\n+  "temperature": 0.5\n+}\n`,
    )
  })

  it('says when there is no difference', async () => {
    await stock()
    expect(await cli.run('diff', 'memory', 'memory/2')).toMatchObject({
      code: 0,
      out: '',
      err: 'memory v2 and memory v2 are the same.\n',
    })
    expect(JSON.parse((await cli.run('diff', 'memory', 'memory/2', '--json')).out)).toMatchObject({
      same: true,
      patches: {},
    })
  })

  it('compares with a file', async () => {
    await stock()
    await writeFile(join(dir, 'memory.md'), 'one\nthree\n')
    const { out } = await cli.run('diff', 'memory', './memory.md')
    expect(out).toContain('+++ ./memory.md template\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n')
  })

  it.each([
    { file: 'nope.md', want: 'there is no prompt "nope.md"', hint: '\nA file needs a slash: ./nope.md\n' },
    { file: './nope.md', want: 'error: nope.md: does not exist\n', hint: '' },
  ])('says of $file what is wrong with it', async ({ file, want, hint }) => {
    await stock()
    const { code, err } = await cli.run('diff', 'memory', file)
    expect(code).toBe(2)
    expect(err).toContain(want)
    expect(err).toContain(hint)
  })

  it('is coloured on a terminal only', async () => {
    await stock()
    const screen = cli.with({ out: { isTty: true, write() {} } })
    expect((await screen.run('diff', 'memory', 'memory/3')).out).toContain('\u001B[32m+2\u001B[39m')
    const plain = screen.with({ env: { NO_COLOR: '1' } })
    expect((await plain.run('diff', 'memory', 'memory/3')).out).not.toContain('\u001B')
  })
})

describe('errors', () => {
  it.each([
    {
      code: 'UNAVAILABLE',
      want: 'the registry cannot be reached: gone',
      hint: 'with: promptkeep serve',
      exit: 2,
    },
    { code: 'TIMEOUT', want: 'the registry cannot be reached: gone', hint: '--tracking-uri', exit: 2 },
    { code: 'UNAUTHENTICATED', want: 'error: gone', hint: '', exit: 2 },
    { code: 'FORBIDDEN', want: 'error: gone', hint: '', exit: 2 },
    { code: 'CONFLICT', want: 'error: gone', hint: '', exit: 1 },
  ] as const)('$code is exit $exit', async ({ code, want, hint, exit }) => {
    cli.transport.fault({ kind: 'error', error: new RegistryError(code, 'gone') })
    const outcome = await cli.run('list')
    expect(outcome).toMatchObject({ code: exit, out: '' })
    expect(outcome.err).toContain(want)
    expect(outcome.err).toContain(hint)
  })

  it('says what nobody expected, with where it happened', async () => {
    const broken = cli.with({
      createRegistry: () => {
        throw new TypeError('a fault of ours')
      },
    })
    const { code, out, err } = await broken.run('list')
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(/^error: unexpected: a fault of ours\n +at /)
  })

  it('closes the registry after success and failure', async () => {
    const { createRegistry } = await import('@promptkeep/client')
    const { transport } = cli
    let open = 0
    const counting = cli.with({
      createRegistry: (options) => {
        open++
        const registry = createRegistry({ ...options, transport })
        return { ...registry, close: () => registry.close().finally(() => open--) }
      },
    })
    await counting.run('list')
    await counting.run('show', 'none')
    expect(open).toBe(0)
  })
})

describe('a terminal', () => {
  it('is not asked for text that nobody pipes', async () => {
    const asked = cli.with({ readStdin: async () => undefined })
    expect(await asked.run('register', 'x')).toMatchObject({
      code: 2,
      err: expect.stringContaining('pipe the text in'),
    })
  })

  it('gives the same JSON as a pipe', async () => {
    await stock()
    const screen = cli.with({ out: { isTty: true, write() {} } })
    expect((await screen.run('list', '--json')).out).toBe((await cli.run('list', '--json')).out)
  })
})
