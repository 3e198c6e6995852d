import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, type Registry } from '@promptkeep/client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createIo, type Effects } from '../packages/cli/src/io.ts'
import { main } from '../packages/cli/src/main.ts'
import { type ChatTarget, startChatTarget } from './support/chat-target.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const CASES = [
  { id: 'hello', input: 'hello', expected: { contains: ['base'] } },
  { id: 'remember', input: 'remember this', expected: { contains: ['base', 'memory'] } },
]

describe('promptkeep eval on our server', () => {
  let server: TestRegistry
  let registry: Registry
  let target: ChatTarget
  let cwd = ''

  beforeAll(async () => {
    server = await startRegistry()
    registry = createRegistry({
      trackingUri: server.url,
      strict: true,
      cacheTtlSeconds: 0,
      timeoutMs: 10_000,
      env: {},
    })
    for (const name of ['base', 'memory']) {
      await registry.register({ name, template: `${name} one.` })
      await registry.setAlias(name, 'production', 1)
    }
    target = await startChatTarget(server.url, { base: 'bundled base', memory: 'bundled memory' })
    cwd = await mkdtemp(join(tmpdir(), 'promptkeep-eval-'))
    await mkdir(join(cwd, 'evals', 'data'), { recursive: true })
    const suite = { dataset: 'data/cases.yaml', target: target.url, threshold: 1, concurrency: 1 }
    const write = (path: string, value: object) => writeFile(join(cwd, 'evals', path), JSON.stringify(value))
    await write('data/cases.yaml', CASES)
    await write('content.yaml', { ...suite, name: 'content', scorers: ['contains'] })
    const strict = { excludes: { name: 'silence', phrases: ['memory'] } }
    await write('silence.yaml', { ...suite, name: 'silence', scorers: ['contains', strict] })
  })
  afterAll(async () => {
    await target?.stop()
    await registry?.close()
    await server?.stop()
    await rm(cwd, { recursive: true, force: true })
  })

  async function run(args: readonly string[], effects: Partial<Effects> = {}) {
    const written = { out: '', err: '' }
    const collect = (stream: 'out' | 'err', isTty = false) => ({
      isTty,
      write: (text: string) => {
        written[stream] += text
      },
    })
    const code = await main(['node', 'promptkeep', 'eval', ...args], {
      ...createIo(process),
      env: { MLFLOW_TRACKING_URI: server.url },
      cwd,
      untilStopped: () => new Promise(() => {}),
      out: collect('out'),
      err: collect('err', true),
      ...effects,
    })
    return { code, ...written }
  }

  it('runs one suite, shows how far it is to whoever watches, and prints what it found', async () => {
    const { code, out, err } = await run(['evals/content.yaml'])
    expect(code).toBe(0)
    expect(out).toMatch(
      /^content: PASSED\n {2}gate +pass_rate 1, must be ≥ 1\n {2}cases +2: 2 passed, 0 failed/,
    )
    expect(out).toContain('base v1 @production, 2 cases')
    expect(out).toContain('memory v1 @production, 1 case\n')
    expect(err).toContain('content  ██████████░░░░░░░░░░  1/2  1 passed, ')
    expect(err.endsWith('\r\u001B[2K')).toBe(true)
  })

  it('says nothing of its progress to a pipe', async () => {
    const silent = { isTty: false, write: () => expect.fail('nothing was to be written') }
    expect((await run(['evals/content.yaml'], { err: silent })).code).toBe(0)
  })

  it('runs every suite of ./evals, and fails when one does', async () => {
    const { code, out } = await run([])
    expect(code).toBe(1)
    expect(out).toMatch(/content: PASSED[\s\S]*silence: FAILED\n {2}! pass_rate is below 1\n/)
    expect(out).toContain('  failed  remember  silence 0: says "memory"')
    expect(out).toMatch(/\n2 suites: 1 passed, 1 failed, 0 without a verdict\n$/)
  })

  it('takes a lower threshold', async () => {
    expect((await run(['evals/silence.yaml', '--pass-threshold', '0.5'])).code).toBe(0)
  })

  it('shows every answer with --verbose', async () => {
    const { out } = await run(['evals/content.yaml', '--verbose'])
    expect(out).toContain('      | base one. memory one.\n')
  })

  it('says of a judge model that nobody asks it', async () => {
    const { out } = await run(['evals/content.yaml', '--judge-model', 'gpt'])
    expect(out).toContain('note: judge model gpt was not asked: no scorer of this suite needs one')
  })

  it('prints the whole report as JSON, and nothing else', async () => {
    const { code, out } = await run(['--json'])
    const report = JSON.parse(out)
    expect(code).toBe(report.exitCode)
    expect(report).toMatchObject({
      exitCode: 1,
      suites: [
        { suite: 'content', verdict: 'passed', prompts: { base: { version: 1, alias: 'production' } } },
        { suite: 'silence', verdict: 'failed', metrics: { pass_rate: 0.5 } },
      ],
    })
  })

  it('has no verdict on answers from bundled texts', async () => {
    const alone = await startChatTarget('http://127.0.0.1:1', { base: 'bundled base', memory: 'memory' })
    onTestFinished(() => alone.stop())
    const suite = {
      name: 'alone',
      dataset: 'data/cases.yaml',
      target: alone.url,
      scorers: ['contains'],
      threshold: 1,
    }
    const folder = await mkdtemp(join(cwd, 'alone-'))
    await mkdir(join(folder, 'data'))
    await writeFile(join(folder, 'data', 'cases.yaml'), JSON.stringify(CASES))
    await writeFile(join(folder, 'alone.yaml'), JSON.stringify(suite))
    const { code, out } = await run([folder])
    expect(code).toBe(2)
    expect(out).toContain('alone: INVALID\n  ! base was answered from default (version 0) in case hello')
  })

  describe('with a candidate', () => {
    let folder = ''
    const reason = 'no case used a prompt that has alias experiment'
    /** `first` asks the base alone, `second` also the memory. */
    beforeAll(async () => {
      folder = await mkdtemp(join(cwd, 'candidate-'))
      for (const [name, index] of [
        ['first', 0],
        ['second', 1],
      ] as const) {
        await writeFile(join(folder, `${name}.json`), JSON.stringify([CASES[index]]))
        const suite = {
          name,
          dataset: `${name}.json`,
          target: target.url,
          scorers: ['contains'],
          threshold: 1,
        }
        await writeFile(join(folder, `${name}.yaml`), JSON.stringify(suite))
      }
      await registry.setAlias('memory', 'experiment', 1)
    })

    it('passes when one suite judged it, and another is not concerned', async () => {
      const { code, out } = await run([folder, '--prompt-alias', 'experiment'])
      expect(out).toContain(`first: NOT CONCERNED\n  ! ${reason} (memory v1)\n`)
      expect(out).toContain('second: PASSED\n')
      expect(out).not.toContain('note:')
      expect(out).toContain(' (MLflow experiment promptkeep-evals)\n')
      expect(out).toMatch(/\n2 suites: 1 passed, 0 failed, 0 without a verdict, 1 not concerned\n$/)
      expect(code).toBe(0)
    })

    it('has no verdict when the one suite that was asked for is not concerned', async () => {
      const { code, out, err } = await run([join(folder, 'first.yaml'), '--prompt-alias', 'experiment'])
      expect({ code, said: out.split(reason).length - 1 }).toEqual({ code: 2, said: 1 })
      expect(err).not.toContain('no suite used')
    })

    it('has no verdict on a second candidate that no suite used, and names it', async () => {
      await registry.register({ name: 'weather', template: 'weather one.' })
      await registry.setAlias('weather', 'experiment', 1)
      const { code, err } = await run([folder, '--prompt-alias', 'experiment'])
      expect(code).toBe(2)
      expect(err).toContain('no suite used weather v1, which has alias experiment: it was not judged\n')
    })
  })

  it('is exit 2 when a report cannot be written, and the runs are logged all the same', async () => {
    await writeFile(join(cwd, 'taken'), '')
    const { code, out, err } = await run(['evals/content.yaml', '--html', 'taken/report.html'])
    expect({ code, err }).toMatchObject({
      code: 2,
      err: expect.stringContaining('--html: taken/report.html cannot be written: '),
    })
    expect(out).toContain('content: PASSED')
  })

  it('writes reports into folders that it makes', async () => {
    const { code } = await run([
      ...['evals/content.yaml', '--junit', 'out/j.xml', '--markdown', 'out/s.md', '--html', 'out/r.html'],
    ])
    expect(code).toBe(0)
    const read = (name: string) => readFile(join(cwd, 'out', name), 'utf8')
    expect(await read('j.xml')).toContain('<testsuite name="content" tests="3" failures="0"')
    expect(await read('s.md')).toMatch(/^## Evals: ✅ passed\n/)
    expect(await read('r.html')).toContain('<h2 id="suite-0">content ')
  })

  it('is exit 2 where it cannot keep a journal', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'promptkeep-eval-'))
    onTestFinished(() => rm(elsewhere, { recursive: true, force: true }))
    await writeFile(join(elsewhere, '.promptkeep'), 'a file where the folder should be')
    const { code, err } = await run([join(cwd, 'evals/content.yaml')], { cwd: elsewhere })
    expect(code).toBe(2)
    expect(err).toMatch(/content: the run's journal \S*content\.\w+\.jsonl cannot be written: /)
  })

  it('ends at a signal, and leaves a run that says so', async () => {
    let stop: (signal: NodeJS.Signals) => void = () => undefined
    const stopped = new Promise<NodeJS.Signals>((resolve) => {
      stop = resolve
    })
    target.onMessage = (message) => {
      if (message === 'remember this') stop('SIGINT')
      return message === 'hello' ? undefined : new Promise(() => {})
    }
    onTestFinished(() => {
      target.onMessage = () => undefined
    })
    const { code, out, err } = await run([], { untilStopped: () => stopped })
    expect(code).toBe(2)
    expect(err).toContain('Go on with what is left: the same command with --resume\n')
    expect(out).toContain('content: INVALID\n  ! interrupted\n')
    expect(out).toContain('2: 1 passed, 0 failed, 0 errors, 1 not run')
    expect(out).toMatch(/\n2 suites: 0 passed, 0 failed, 1 without a verdict, 1 not run\n$/)
  })
})
