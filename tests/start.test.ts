import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from './support/free-port.ts'

const root = join(import.meta.dirname, '..')

interface Start {
  readonly child: ChildProcess
  output(): string
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>
  until(text: string): Promise<void>
}

/** `npm start`'s script in a process of its own, with its ports and databases elsewhere. */
function start(env: Record<string, string>): Start {
  const child = spawn(process.execPath, ['scripts/start.mjs'], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await exited
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  return {
    child,
    exited,
    output: () => text,
    until: (wanted) =>
      expect
        .poll(() => (child.exitCode === null ? text : `${text}\n[exit ${child.exitCode}] ${wanted}?`), {
          timeout: 60_000,
          interval: 50,
        })
        .toContain(wanted),
  }
}

async function settings() {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-start-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return {
    dir,
    PORT: String(await freePort()),
    ASSISTANT_PORT: String(await freePort()),
    DATABASE_URL: `sqlite:${join(dir, 'registry.db')}`,
    ASSISTANT_DATABASE: `sqlite:${join(dir, 'assistant.db')}`,
  }
}

describe('npm start', { timeout: 120_000 }, () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'seeds once, says what to try, and %s stops both',
    async (signal) => {
      const { dir: _, ...env } = await settings()
      const first = start(env)
      await first.until('Three things to try')
      expect(first.output()).toContain('seeded=11 skipped=0')
      expect(first.output()).toContain('demo')
      const urls = [`http://127.0.0.1:${env.PORT}/health`, `http://127.0.0.1:${env.ASSISTANT_PORT}/health`]
      for (const url of urls) expect((await fetch(url)).status).toBe(200)
      first.child.kill(signal)
      expect(await first.exited).toBe(0)
      for (const url of urls) await expect(fetch(url)).rejects.toThrow()

      const second = start(env)
      await second.until('Three things to try')
      expect(second.output()).toContain('seeded=0 skipped=11')
      second.child.kill(signal)
      expect(await second.exited).toBe(0)
    },
  )

  it('a closed terminal, and even its own death, stop both', async () => {
    for (const signal of ['SIGHUP', 'SIGKILL'] as const) {
      const { dir: _, ...env } = await settings()
      const run = start(env)
      await run.until('Three things to try')
      run.child.kill(signal)
      await run.exited
      for (const port of [env.PORT, env.ASSISTANT_PORT])
        await expect
          .poll(
            () =>
              fetch(`http://127.0.0.1:${port}/health`).then(
                () => 'up',
                () => 'down',
              ),
            { timeout: 20_000 },
          )
          .toBe('down')
    }
  })

  it('an empty MLFLOW_TRACKING_URI is none', async () => {
    const { dir: _, ...env } = await settings()
    const run = start({ ...env, MLFLOW_TRACKING_URI: '' })
    await run.until('Three things to try')
    expect(run.output()).toContain('seeded=11 skipped=0')
  })

  it('a taken port, an unwritable folder and a broken variable are one clear line each', async () => {
    const { dir, ...env } = await settings()
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as { port: number }
    await writeFile(join(dir, 'file'), '')
    const cases: [Record<string, string>, RegExp][] = [
      [{ PORT: String(port) }, new RegExp(`${port}`)],
      [{ ASSISTANT_PORT: String(port) }, new RegExp(`${port}`)],
      [{ DATABASE_URL: `sqlite:${join(dir, 'file', 'registry.db')}` }, /file/],
      [{ ASSISTANT_DATABASE: `sqlite:${join(dir, 'file', 'assistant.db')}` }, /file/],
      [{ PORT: 'http' }, /PORT.*http/],
      [{ PROMPT_CACHE_TTL_SECONDS: 'soon' }, /PROMPT_CACHE_TTL_SECONDS.*soon/],
    ]
    for (const [broken, message] of cases) {
      const run = start({ ...env, ...broken })
      expect(await run.exited, JSON.stringify(broken)).not.toBe(0)
      const complaint = run
        .output()
        .split('\n')
        .filter((line) => message.test(line) && !line.includes('listening on'))
      expect(complaint, run.output()).toHaveLength(1)
      expect(run.output()).not.toMatch(/^\s+at /m)
    }
  })
})
