import { execFile, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry } from '@promptkeep/client'
import { fileDigestOf, type PromptFile, readLock, readPromptFolder } from '@promptkeep/client/files'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from './support/free-port.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'

const bin = fileURLToPath(new URL('../packages/cli/bin/promptkeep.js', import.meta.url))

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Nothing of the caller's environment but what a process needs. */
const environment = (env: Readonly<Record<string, string>>) => ({
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? '',
  ...env,
})

/** The real command in a process of its own. */
function promptkeep(
  args: readonly string[],
  { cwd, env = {}, stdin = '' }: { cwd: string; env?: Readonly<Record<string, string>>; stdin?: string },
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [bin, ...args],
      { cwd, env: environment(env), timeout: 60_000 },
      (_, out, err) => resolve({ code: child.exitCode, out, err }),
    )
    child.stdin?.end(stdin)
  })
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-bin-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

describe('promptkeep serve', { timeout: 60_000 }, () => {
  /** Starts it and waits for its line on stderr. */
  async function serve(cwd: string, ...args: string[]) {
    const child = spawn(process.execPath, [bin, 'serve', ...args], { cwd, env: environment({}) })
    onTestFinished(() => void child.kill('SIGKILL'))
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    const url = await new Promise<string>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        err += text
        const found = /listening on (http:\/\/\S+)/.exec(err)?.[1]
        if (found !== undefined) resolve(found)
      })
      void ended.then((code) => reject(new Error(`serve ended with ${code}: ${err}`)))
    })
    const stop = async (signal: NodeJS.Signals): Promise<Outcome> => {
      child.kill(signal)
      return { code: await ended, out, err }
    }
    return { url, stop }
  }

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'serves, stops cleanly at %s, and keeps what it was given',
    async (signal) => {
      const cwd = await folder()
      const first = await serve(cwd, '--port', '0')
      const env = { MLFLOW_TRACKING_URI: first.url }
      expect((await promptkeep(['register', 'memory', '--template', 'kept'], { cwd, env })).code).toBe(0)
      const { code, out, err } = await first.stop(signal)
      expect(code).toBe(0)
      expect(err.trimEnd().split('\n')).toHaveLength(1)
      const events = out
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { event: string }).event)
      expect(events[0]).toBe('server.started')
      expect(events.at(-1)).toBe('server.stopped')

      const second = await serve(cwd, '--port', '0')
      const shown = await promptkeep(['show', 'memory/1', '--tracking-uri', second.url], { cwd })
      expect(shown.out).toContain('kept')
      expect((await second.stop(signal)).code).toBe(0)
    },
  )

  it.each([
    {
      rule: 'an address that others reach',
      args: ['--host', '0.0.0.0'],
      want: 'it has no tokens yet, so everybody could do everything. Make the first one with: promptkeep token create',
    },
    {
      rule: 'a port that is none',
      args: ['--port', '70000'],
      want: '--port must be a whole number from 0 to 65535',
    },
    {
      rule: 'a database that it does not know',
      args: ['--database', 'mysql://x'],
      want: '--database must be sqlite:<file>',
    },
    {
      rule: 'a folder that cannot be written',
      args: ['--database', 'sqlite:./file/registry.db'],
      want: 'folder',
    },
    { rule: 'a file that is no database', args: ['--database', 'sqlite:./file'], want: 'not a database' },
    { rule: 'a broken environment', env: { PORT: 'http', LOG_LEVEL: 'loud' }, want: 'PORT must be' },
  ])('$rule is one clear line and exit 2', async ({ args = [], env = {}, want }) => {
    const cwd = await folder()
    await writeFile(join(cwd, 'file'), 'x'.repeat(4096))
    const { code, out, err } = await promptkeep(['serve', ...args], { cwd, env: { PORT: '0', ...env } })
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err.trimEnd().split('\n')).toEqual([expect.stringContaining(want)])
  })

  it('is open to others once its first token was made on its database, and lets nobody else in', async () => {
    const cwd = await folder()
    const args = ['--port', '0', '--database', 'sqlite:./team.db', '--allowed-hosts', 'prompts.test']
    const refused = await promptkeep(['serve', ...args], { cwd })
    expect(refused).toMatchObject({ code: 2, out: '' })
    const [, command = ''] = /Make the first one with: promptkeep (.*)\n$/.exec(refused.err) ?? []
    const made = await promptkeep(command.replace('NAME', 'ada').split(' '), { cwd })
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^pk_\w{12}_[\w-]{43}\n$/) })

    const { url, stop } = await serve(cwd, ...args)
    const env = { MLFLOW_TRACKING_URI: url, MLFLOW_TRACKING_TOKEN: made.out.trim() }
    expect(await promptkeep(['whoami'], { cwd, env })).toMatchObject({ code: 0, out: 'ada  admin\n' })
    const stranger = await promptkeep(['list'], { cwd, env: { MLFLOW_TRACKING_URI: url } })
    expect(stranger).toMatchObject({ code: 2, err: expect.stringContaining('set MLFLOW_TRACKING_TOKEN') })
    expect((await stop('SIGTERM')).out).not.toContain(made.out.trim())
  })

  it('a taken port is one clear line and exit 2', async () => {
    const cwd = await folder()
    const { url, stop } = await serve(cwd, '--port', '0')
    const { port } = new URL(url)
    const { code, err } = await promptkeep(['serve', '--port', port, '--database', 'sqlite:./b.db'], { cwd })
    expect(code).toBe(2)
    expect(err).toMatch(
      new RegExp(
        `^error: port ${port} on 127\\.0\\.0\\.1 is taken: .*--port or PORT.*running already\\?\\n$`,
      ),
    )
    await stop('SIGTERM')
  })
})

describe('a registry that is not there', { timeout: 60_000 }, () => {
  it('is exit 2 and says where it was looked for and how to start one', async () => {
    const cwd = await folder()
    const uri = `http://127.0.0.1:${await freePort()}`
    for (const args of [['list'], ['show', 'memory'], ['push'], ['history', 'memory']]) {
      await mkdir(join(cwd, 'prompts'), { recursive: true })
      const { code, out, err } = await promptkeep([...args, '--tracking-uri', uri], { cwd })
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(err).toContain(uri)
      expect(err).toContain('with: promptkeep serve')
    }
  })
})

interface Place {
  readonly url: string
  stop(): Promise<void>
}

/** The same day of work with either registry; what differs is said. */
function describeRegistry(
  name: string,
  open: () => Promise<Place>,
  { skip = '', history }: { skip?: string; history: boolean },
) {
  describe.skipIf(skip)(`promptkeep with ${name} ${skip}`, { timeout: 120_000 }, () => {
    let place: Place
    let cwd: string
    const run = (...args: string[]) => promptkeep(args, { cwd, env: { MLFLOW_TRACKING_URI: place.url } })
    const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).out)
    const write = (text: string) => writeFile(join(cwd, 'prompts', 'memory.md'), text)
    const state = async () =>
      (await json('status')).prompts.find((entry: { name: string }) => entry.name === 'memory').state

    beforeAll(async () => {
      place = await open()
      cwd = await mkdtemp(join(tmpdir(), 'promptkeep-bin-'))
      await mkdir(join(cwd, 'prompts'))
    }, 120_000)
    afterAll(async () => {
      await place?.stop()
      await rm(cwd, { recursive: true, force: true })
    })

    it('registers, shows, points, compares and tells', async () => {
      const piped = await promptkeep(['register', 'greet', '--message', 'first', '--alias', 'production'], {
        cwd,
        env: { MLFLOW_TRACKING_URI: place.url },
        stdin: 'Hello {{ name }}\n',
      })
      expect(piped).toMatchObject({ code: 0, out: 'registered greet v1\ngreet@production: unset -> v1\n' })
      const config = ['--model-config', '{"temperature": 0.5}']
      await run('register', 'greet', '--template', 'Good day {{ name }}', ...config, '--tag', 'tone=formal')
      expect(await json('show', 'greet@latest')).toMatchObject({
        version: 2,
        template: 'Good day {{ name }}',
        modelConfig: { temperature: 0.5 },
        tags: { tone: 'formal' },
        aliases: [],
      })
      expect(await json('show', 'greet')).toMatchObject({
        version: 1,
        commitMessage: 'first',
        aliases: ['production'],
      })
      expect((await run('diff', 'greet/1', 'greet/2')).out).toContain(
        '-Hello {{ name }}\n+Good day {{ name }}',
      )
      expect(await run('alias', 'greet', 'production', '2', '--expect', '2')).toMatchObject({ code: 1 })
      expect(
        await run('alias', 'greet', 'production', '2', '--expect', '1', '--reason', 'formal'),
      ).toMatchObject({
        code: 0,
        out: 'greet@production: v1 -> v2\n',
      })
      expect((await json('list')).prompts).toMatchObject([
        { name: 'greet', latestVersion: 2, aliases: { production: 2 } },
      ])
      const told = await json('history', 'greet')
      expect(told.complete).toBe(history)
      expect(told.changes[0]).toMatchObject({ kind: 'alias.moved', from: 1, to: 2, reason: 'formal' })
      expect(told.changes).toHaveLength(history ? 4 : 1)
      expect(await run('show', 'gret')).toMatchObject({
        code: 2,
        err: expect.stringContaining('Did you mean greet?'),
      })
      expect(await run('alias', 'greet', 'production', '9')).toMatchObject({ code: 2 })
    })

    it('tells of all prompts, resolves and rolls back', async () => {
      await run('register', 'tone', '--template', 'kind', '--alias', 'production')
      await run('register', 'tone', '--template', 'brief')
      await run('alias', 'tone', 'production', '2', '--reason', 'shorter')
      const all = await json('history', '--kind', 'alias.moved', '--alias', 'production')
      expect(all.complete).toBe(history)
      expect(all.changes[0]).toMatchObject({ prompt: 'tone', from: 1, to: 2, reason: 'shorter' })
      expect(new Set(all.changes.map(({ prompt }: { prompt: string }) => prompt))).toEqual(
        new Set(['tone', 'greet']),
      )
      expect((await run('resolve', 'tone', '--text')).out).toBe('brief\n')
      const found = await json('resolve', 'greet', 'tone', '--alias', 'experiment,production')
      expect(found.prompts).toMatchObject([
        { name: 'greet', alias: 'production', version: 2, since: { reason: 'formal' } },
        { name: 'tone', alias: 'production', version: 2, since: { reason: 'shorter' }, template: 'brief' },
      ])
      const dry = await run('rollback', 'tone', '--dry-run')
      expect(dry).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^tone@production: v2 -> v1 .*nothing moved/),
      })
      const back = await run('rollback', 'tone', '--reason', 'too curt', '--expect', '2')
      expect(back).toMatchObject({ code: 0, out: expect.stringMatching(/^tone@production: v2 -> v1/) })
      expect((await run('resolve', 'tone', '--text')).out).toBe('kind\n')
      expect(await run('rollback', 'tone', '--reason', 'x', '--expect', '2')).toMatchObject({ code: 1 })
      // Our server has no policy for it yet, and a stock one never has any.
      const forced = await run('alias', 'tone', 'production', '2', '--force', '--reason', 'x')
      expect(forced).toMatchObject(
        history ? { code: 0 } : { code: 2, err: expect.stringContaining('no policies') },
      )
    })

    it.skipIf(history)('says of what only our server has that there is none', async () => {
      for (const args of [
        ['whoami'],
        ['token', 'list'],
        ['token', 'create', 'a', '--role', 'admin'],
        ['policy', 'list'],
        ['resolve', 'tone', '--at', '1h'],
        ['rollback', 'tone', '--to-seq', '1', '--reason', 'x'],
        ['history', '--follow'],
      ]) {
        const { code, out, err } = await run(...args)
        expect({ args, code, out }).toEqual({ args, code: 2, out: '' })
        expect(err).toMatch(/^error: .*stock MLflow server/)
      }
    })

    it('keeps files and registry in step', async () => {
      await write('---\n# ours\ndescription: looks things up\n---\none {{ q }}\n')
      expect(await state()).toBe('only here')
      expect(await run('push', '--alias', 'production')).toMatchObject({ code: 0 })
      expect(await state()).toBe('same')
      expect((await json('show', 'memory')).tags).toMatchObject({ 'promptkeep.source_file': 'memory.md' })
      await write(
        '---\n# ours\ndescription: looks things up\nmodel_config: { temperature: 0 }\n---\ntwo {{ q }}\n',
      )
      expect(await state()).toBe('file newer')
      expect(await run('status', '--check')).toMatchObject({ code: 1 })
      await run('push')
      await run('push')
      expect((await json('status')).prompts).toMatchObject([
        { name: 'greet', state: 'only there', drift: false },
        { name: 'memory', state: 'file newer', registeredAs: 2, registry: { version: 1 } },
        { name: 'tone', state: 'only there', drift: false },
      ])
      await run('push', '--alias', 'production', '--message', 'promoted')
      expect(await json('show', 'memory')).toMatchObject({ version: 2, modelConfig: { temperature: 0 } })
      expect(await run('status', '--check')).toMatchObject({ code: 0 })

      await run('register', 'memory', '--template', 'three {{ q }}', '--alias', 'production')
      expect(await state()).toBe('registry newer')
      expect(await run('push')).toMatchObject({ code: 1, out: expect.stringContaining('refused') })
      expect(await run('pull', '--only', 'memory')).toMatchObject({ code: 0 })
      expect(await readFile(join(cwd, 'prompts', 'memory.md'), 'utf8')).toBe(
        '---\n# ours\ndescription: looks things up\n---\n\nthree {{ q }}\n',
      )
      await write('mine')
      expect(await run('pull', '--only', 'memory')).toMatchObject({ code: 1 })
      expect(await readFile(join(cwd, 'prompts', 'memory.md'), 'utf8')).toBe('mine')
    })

    it('refuses bad input before it stores anything', async () => {
      const before = await json('list')
      for (const args of [
        ['register', 'a b', '--template', 'x'],
        ['register', 'x', '--template', ''],
        ['register', 'x', '--template', 'x', '--model-config', '{"temperature": "hot"}'],
        ['register', 'x', '--chat', '--template', '[{"content": "no role"}]'],
        ['alias', 'greet', 'latest', '1'],
        ['alias', 'greet', 'v1', '1'],
      ]) {
        expect({ args, ...(await run(...args)) }).toMatchObject({ args, code: 2, out: '' })
      }
      expect(await json('list')).toEqual(before)
    })
  })
}

describeRegistry('our server', startRegistry, { history: true })
describeRegistry('an untouched MLflow', startMlflow, { skip: mlflowSkip, history: false })

describe("the assistant's prompt files", { timeout: 60_000 }, () => {
  const dir = fileURLToPath(new URL('../apps/assistant/prompts', import.meta.url))

  it('are in step with a registry that was seeded from them; an edit is seen and pushed', async () => {
    const cwd = await folder()
    await cp(dir, join(cwd, 'prompts'), { recursive: true })
    const server = await startRegistry()
    onTestFinished(() => server.stop())
    const registry = createRegistry({ trackingUri: server.url, env: {} })
    onTestFinished(() => registry.close())
    const files = await readPromptFolder(join(cwd, 'prompts'))
    const { seeded } = await registry.seed(
      Object.fromEntries(files.map(({ name, ...file }) => [name, asDefault(file)])),
    )
    expect(seeded).toHaveLength(11)

    const run = (...args: string[]) => promptkeep(args, { cwd, env: { MLFLOW_TRACKING_URI: server.url } })
    expect(await run('status', '--check')).toMatchObject({
      code: 0,
      err: '11 files, in step with production.\n',
    })
    const path = join(cwd, 'prompts', 'orchestrator-base.md')
    await writeFile(path, `${await readFile(path, 'utf8')}\nBe warm.\n`)
    expect(await run('status', '--check')).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^orchestrator-base +file newer +v1 +promptkeep push prompts$/m),
    })
    const pushed = await run('push', '--alias', 'production', '--message', 'a warmer tone')
    expect(pushed).toMatchObject({ code: 0, out: 'orchestrator-base  registered v2  production v1 -> v2\n' })
    expect((await run('show', 'orchestrator-base')).out).toMatch(/Be warm\.\n$/)
  })

  it('are in step with their lock', async () => {
    const files = await readPromptFolder(dir)
    const digests = await Promise.all(
      files.map(async (file) => [file.name, { digest: await fileDigestOf(file) }] as const),
    )
    expect((await readLock(dir)).prompts).toEqual(Object.fromEntries(digests))
    expect(files).toHaveLength(11)
  })
})

const asDefault = ({ template, description, modelConfig }: Omit<PromptFile, 'name'>) => ({
  template,
  ...(description !== undefined && { description }),
  ...(modelConfig && { modelConfig }),
})
