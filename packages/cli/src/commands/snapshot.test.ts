import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { snapshotFile } from '@promptkeep/client/snapshot'
import { createLogRecorder } from '@promptkeep/client/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { createTestCli, type TestCli } from '../test-io.ts'

let dir: string
let cli: TestCli

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  cli = createTestCli(dir)
  await cli.run('register', 'memory', '--template', 'M1', '--alias', 'production')
  await cli.run('register', 'memory', '--template', 'M2', '--alias', 'experiment')
  await cli.run('register', 'greet', '--template', 'G1', '--alias', 'production')
  await cli.run('register', 'draft', '--template', 'D1')
  return () => rm(dir, { recursive: true, force: true })
})

async function held(file = 'prompts.snapshot.json') {
  const log = createLogRecorder()
  const snapshot = await snapshotFile(join(dir, file)).read(log.logger)
  expect(log.lines).toEqual([])
  const entries = snapshot?.entries.map(
    ({ alias, version }) => `${version.name}@${alias} ${version.template}`,
  )
  return { address: snapshot?.address, workspace: snapshot?.workspace, entries }
}

describe('snapshot', () => {
  it('keeps all prompts that have the alias, for anybody to read', async () => {
    const { code, out, err } = await cli.run('snapshot')
    expect({ code, out }).toEqual({ code: 0, out: 'greet@production   v1\nmemory@production  v1\n' })
    const { address } = cli.transport
    expect(err).toBe(`prompts.snapshot.json: 2 entries, for apps that ask ${address}\n`)
    const entries = ['greet@production G1', 'memory@production M1']
    expect(await held()).toEqual({ address, workspace: '', entries })
    expect((await stat(join(dir, 'prompts.snapshot.json'))).mode & 0o044).toBe(0o044)
  })

  it('keeps prompts by name, several aliases, another address, a workspace', async () => {
    const args = ['memory', '--alias', 'experiment, production,latest', '--out', 'x.json']
    const { code } = await cli
      .with({ env: { MLFLOW_WORKSPACE: 'team' } })
      .run('snapshot', ...args, '--address', 'https://ada:s3cret@example.com/reg/')
    expect(code).toBe(0)
    expect(await held('x.json')).toEqual({
      address: 'https://example.com/reg',
      workspace: 'team',
      entries: ['memory@experiment M2', 'memory@latest M2', 'memory@production M1'],
    })
    expect(await readFile(join(dir, 'x.json'), 'utf8')).not.toMatch(/s3cret/)
  })

  it('says the same as JSON', async () => {
    const said = JSON.parse((await cli.run('snapshot', 'greet', '--json')).out)
    expect(said).toEqual({
      file: 'prompts.snapshot.json',
      address: cli.transport.address,
      savedAt: expect.stringMatching(/Z$/),
      prompts: [
        { name: 'greet', alias: 'production', version: 1, digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
      ],
    })
  })

  it.each([
    { args: ['gret'], want: /Did you mean greet/ },
    { args: ['draft', 'greet'], want: /^error: draft: no alias production\n/ },
    {
      args: ['--alias', 'nope'],
      want: /^error: no prompt has the alias nope: nothing was written\nThere is experiment, production\.\n$/,
    },
    { args: ['--alias', 'experimnet'], want: /nothing was written\nDid you mean experiment\?\n$/ },
    { args: ['greet', '--alias', 'nope'], want: /^error: greet: no alias nope\nThere is production\.\n$/ },
    { args: ['--alias', 'v3'], want: /--alias must be an alias/ },
    { args: ['--address', 'example.com'], want: /^error: --address must be an http or https address/ },
    { args: ['--out', 'missing/x.json'], want: /^error: missing\/x\.json: cannot be written \(ENOENT\)\n/ },
  ])('writes nothing where it cannot: $args', async ({ args, want }) => {
    await writeFile(join(dir, 'prompts.snapshot.json'), 'as it was')
    const { code, out, err } = await cli.run('snapshot', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(want)
    expect(await readFile(join(dir, 'prompts.snapshot.json'), 'utf8')).toBe('as it was')
  })
})
