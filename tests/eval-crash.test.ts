import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry, type Registry } from '@promptkeep/client'
import { createEvalDeps, type EvalRun, findRuns, type LoggedRun, readScores } from '@promptkeep/evals'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type ChatTarget, startChatTarget } from './support/chat-target.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const bin = fileURLToPath(new URL('../packages/cli/bin/promptkeep.js', import.meta.url))
const COUNT = 12

describe('promptkeep eval', { timeout: 120_000 }, () => {
  let server: TestRegistry
  let registry: Registry
  let target: ChatTarget
  let cwd = ''
  /** What the target was asked, in order. */
  let asked: string[] = []
  let onAsked: () => void = () => {}

  beforeAll(async () => {
    server = await startRegistry()
    registry = createRegistry({ trackingUri: server.url, strict: true, cacheTtlSeconds: 0, env: {} })
    await registry.register({ name: 'base', template: 'Here you are.' })
    await registry.setAlias('base', 'production', 1)
    target = await startChatTarget(server.url)
    target.onMessage = (message) => {
      asked.push(message)
      onAsked()
    }
    cwd = await mkdtemp(join(tmpdir(), 'promptkeep-crash-'))
    await mkdir(join(cwd, 'evals'))
    const cases = Array.from({ length: COUNT }, (_, i) => ({ id: `case-${i}`, input: `question ${i}` }))
    await writeFile(join(cwd, 'cases.json'), JSON.stringify(cases))
    const suite = {
      name: 'crash',
      dataset: '../cases.json',
      target: target.url,
      scorers: [{ contains: { phrases: ['here'] } }],
      threshold: 1,
      concurrency: 1,
    }
    await writeFile(join(cwd, 'evals', 'crash.yaml'), JSON.stringify(suite))
  })
  afterAll(async () => {
    await target?.stop()
    await registry?.close()
    await server?.stop()
    await rm(cwd, { recursive: true, force: true })
  })

  /** Runs the real command; `killAt` ends it without a word when the target has been asked this often. */
  function run(args: readonly string[], killAt?: number): Promise<{ code: number | null; out: string }> {
    const child = spawn(process.execPath, [bin, 'eval', ...args], {
      cwd,
      env: { PATH: process.env.PATH, MLFLOW_TRACKING_URI: server.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const from = asked.length
    onAsked = () => {
      if (killAt !== undefined && asked.length - from === killAt) child.kill('SIGKILL')
    }
    let out = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        out += text
      })
    return new Promise((resolve) => child.once('close', (code) => resolve({ code, out })))
  }

  it('that is killed at any case goes on from there, as often as it takes', async () => {
    asked = []
    // Three crashes in one run, at cases that a seed would not know: the clock says which.
    const at = [1, 2, 3].map((n) => 1 + ((Date.now() >> n) % 4))
    for (const [n, killAt] of at.entries())
      expect(await run(n === 0 ? [] : ['--resume'], killAt)).toEqual({ code: null, out: '' })
    const { code, out } = await run(['--resume'])
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('crash: PASSED') })
    expect(out).toContain(`${COUNT}: ${COUNT} passed, 0 failed, 0 errors`)
    // Only what was being asked when the process died is asked again.
    expect(new Set(asked).size).toBe(COUNT)
    expect(asked.length, `killed at ${at}`).toBe(COUNT + at.length)

    const { tracking, experiment } = createEvalDeps({ registry, trackingUri: server.url, env: {} })
    const runs: (EvalRun & { logged: LoggedRun })[] = []
    for await (const run of findRuns(tracking, { experiment, suite: 'crash' })) runs.push(run)
    const ended = runs.filter(({ isComplete }) => isComplete)
    const killed = runs.filter(
      ({ status, invalid }) => status === 'KILLED' && invalid?.startsWith('broke off'),
    )
    expect([runs.length, ended.length, killed.length]).toEqual([at.length + 1, 1, at.length])
    const [whole] = ended as [(typeof runs)[0]]
    const { ids, metrics } = await readScores(tracking, whole.logged)
    expect(ids).toHaveLength(COUNT)
    expect(metrics.pass_rate?.map((values) => values.length)).toEqual(ids.map(() => 1))
  })

  it('without --resume begins anew', async () => {
    asked = []
    await run([], 3)
    const { code } = await run([])
    expect({ code, asked: asked.length }).toEqual({ code: 0, asked: 3 + COUNT })
    // The run that ended is the last: there is nothing to go on with, and it is told again.
    const again = await run(['--resume'])
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining('crash: PASSED') })
    expect(asked.length).toBe(3 + COUNT)
  })

  it("keeps what it knows out of a repository, and out of others' sight", async () => {
    const folder = join(cwd, '.promptkeep', 'evals')
    expect(await readFile(join(folder, '.gitignore'), 'utf8')).toBe('*\n')
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
  })
})
