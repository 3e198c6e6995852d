import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Role } from '@promptkeep/client/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createIo } from '../packages/cli/src/io.ts'
import { main } from '../packages/cli/src/main.ts'
import { ask } from './support/ask.ts'
import { type ChatTarget, startChatTarget } from './support/chat-target.ts'
import { bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

/** What docs/policies.md tells CI to do, with the commands and tokens that it names. */
describe('a promotion that CI earns', () => {
  const io = createIo(process)
  let server: TokenRegistry
  let target: ChatTarget
  let cwd = ''

  beforeAll(async () => {
    server = await startTokenRegistry()
    const withToken = new URL(server.url)
    withToken.username = 'target'
    withToken.password = server.tokens.reader
    target = await startChatTarget(withToken.href.replace(/\/$/, ''))
    cwd = await mkdtemp(join(tmpdir(), 'promptkeep-policies-'))
    await mkdir(join(cwd, 'evals'))
    await writeFile(
      join(cwd, 'evals', 'cases.json'),
      JSON.stringify([{ id: 'hello', input: 'hello', expected: { contains: ['base'] } }]),
    )
    const suite = { name: 'tone', dataset: 'cases.json', target: target.url, threshold: 1 }
    await writeFile(
      join(cwd, 'evals', 'tone.yaml'),
      JSON.stringify({ ...suite, scorers: ['contains'], concurrency: 1 }),
    )
  })
  afterAll(async () => {
    await target?.stop()
    await server?.stop()
    await rm(cwd, { recursive: true, force: true })
  })

  async function promptkeep(role: Role, ...args: string[]) {
    let out = ''
    let err = ''
    const code = await main(['node', 'promptkeep', ...args], {
      ...io,
      env: { MLFLOW_TRACKING_URI: server.url, MLFLOW_TRACKING_TOKEN: server.tokens[role] },
      cwd,
      untilStopped: () => new Promise(() => {}),
      out: {
        isTty: false,
        write(text) {
          out += text
        },
      },
      err: {
        isTty: false,
        write(text) {
          err += text
        },
      },
    })
    return { code, out, err }
  }

  const verdict = (run_id: string) =>
    ask(server.url, {
      method: 'POST',
      path: '/api/2.0/mlflow/runs/set-tag',
      body: JSON.stringify({ run_id, key: 'promptkeep.verdict', value: 'pass' }),
      headers: { 'content-type': 'application/json', ...bearer(server.tokens.evaluator) },
    })

  async function evaluate(...flags: string[]): Promise<string> {
    const { code, out, err } = await promptkeep('evaluator', 'eval', 'evals/tone.yaml', ...flags, '--json')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    return (JSON.parse(out) as { suites: [{ run: { id: string } }] }).suites[0].run.id
  }

  it('passes with an eval of the candidate, a baseline and a verdict, and not one step sooner', async () => {
    const ok = async (role: Role, ...args: string[]) => {
      const { code, err } = await promptkeep(role, ...args)
      expect({ args, code, err }).toEqual({ args, code: 0, err: expect.any(String) })
    }
    await ok('writer', 'register', 'base', '--template', 'base one.')
    await ok('writer', 'register', 'base', '--template', 'base two.')
    await ok('writer', 'alias', 'base', 'production', '1')
    const asks = ['--require-reason', '--require-evidence', '--max-age', '24h']
    await ok('admin', 'policy', 'set', 'production', '--role', 'promoter', ...asks)
    await ok('promoter', 'alias', 'base', 'experiment', '2')

    const promote = (...flags: string[]) =>
      promptkeep('promoter', 'alias', 'base', 'production', '2', '--reason', 'warmer', ...flags)
    expect(await promote()).toMatchObject({ code: 2, err: expect.stringContaining('clause "evidence"') })

    const candidate = await evaluate('--prompt-alias', 'experiment')
    const early = await promote('--evidence', candidate)
    // The suite as the run names it: seen from where the test runs.
    const make = /no baseline run.*promptkeep eval \S*evals\/tone\.yaml --prompt-alias=production/
    expect(early).toMatchObject({ code: 2, err: expect.stringMatching(make) })

    const baseline = await evaluate('--prompt-alias=production')
    const unjudged = await promote('--evidence', candidate)
    expect(unjudged).toMatchObject({ code: 2, err: expect.stringContaining('clause "verdict"') })

    for (const run of [candidate, baseline]) expect(await verdict(run)).toMatchObject({ status: 200 })
    const wrong = await promote('--evidence', baseline)
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('clause "version"') })

    await ok('promoter', 'alias', 'base', 'production', '2', '--reason', 'warmer', '--evidence', candidate)
    const { out } = await promptkeep('reader', 'history', 'base', '--json')
    expect(JSON.parse(out).changes[0]).toMatchObject({
      alias: 'production',
      from: 1,
      to: 2,
      actor: 'promoter',
      reason: 'warmer',
      evidence: `runs:/${candidate}`,
    })
    const back = await promptkeep('promoter', 'rollback', 'base', '--reason', 'colder again')
    expect(back).toMatchObject({ code: 0 })
  })
})
