import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { startRegistry } from '../../../../tests/support/registry.ts'
import { asking, createTestCli, type TestCli } from '../test-io.ts'

let cli: TestCli

/** `memory` at v2 with an experiment at v1, `greet` at v1. */
beforeEach(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  const server = await startRegistry()
  cli = createTestCli(dir).with(asking(server.url))
  await cli.run('register', 'greet', '--template', 'hi', '--alias', 'production')
  await cli.run('register', 'memory', '--template', 'one', '--alias', 'experiment')
  await cli.run('register', 'memory', '--template', 'two\nlines', '--model-config', '{"temperature":0}')
  await cli.run('alias', 'memory', 'production', '2', '--reason', 'it won')
  return async () => {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

describe('resolve', () => {
  it('of one prompt tells version, digest, since when, by whom and why, and the text', async () => {
    const { code, out, err } = await cli.run('resolve', 'memory')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(
      /^prompt {3}memory v2 {2}production\nsince {4}\d{4}-.* UTC by anonymous \(change #6\) {2}it won\ndigest {3}[0-9a-f]{64}\n\ntwo\nlines\n$/,
    )
  })

  it('of several is a table, each by the first alias of the chain that it has', async () => {
    const { out } = await cli.run('resolve', 'memory', 'greet', '--alias', 'experiment,production')
    expect(out).toMatch(
      /^NAME +ALIAS +VERSION +DIGEST +SINCE +BY +WHY\nmemory +experiment +v1 +[0-9a-f]{12} +\d{4}-.* UTC +anonymous\ngreet +production +v1 +[0-9a-f]{12} /,
    )
    const json = JSON.parse(
      (await cli.run('resolve', 'memory', 'greet', '--alias', 'experiment,production', '--json')).out,
    )
    expect(json).toMatchObject({
      seq: 6,
      prompts: [
        {
          name: 'memory',
          alias: 'experiment',
          version: 1,
          template: 'one',
          since: { seq: 4, at: expect.stringMatching(/Z$/) },
        },
        { name: 'greet', alias: 'production', version: 1, template: 'hi' },
      ],
      missing: [],
    })
  })

  it('prints the text alone for a pipe', async () => {
    expect(await cli.run('resolve', 'memory', '--text')).toEqual({ code: 0, out: 'two\nlines\n', err: '' })
  })

  it('does not let a prompt write on the screen of a person', async () => {
    await cli.run('register', 'evil', '--template', 'a\u001B[2Jb', '--alias', 'production')
    const screen = cli.with({ out: { isTty: true, write() {} } })
    expect((await screen.run('resolve', 'evil', '--text')).out).toContain('a\\u{001b}[2Jb')
    expect((await cli.run('resolve', 'evil', '--text')).out).toBe('a\u001B[2Jb\n')
  })

  it('tells what was true at another time, also of what is gone by now', async () => {
    const [then] = JSON.parse((await cli.run('history', 'memory', '--kind', 'alias', '--json')).out).changes
    await new Promise((resolve) => setTimeout(resolve, 5))
    await cli.run('register', 'memory', '--template', 'three', '--alias', 'production')
    expect((await cli.run('resolve', 'memory', '--text')).out).toBe('three\n')
    const past = await cli.run('resolve', 'memory', '--at', then.at)
    expect(past.code).toBe(0)
    expect(past.err).toMatch(/^At \d{4}-.* UTC:\n$/)
    expect(past.out).toMatch(
      /^prompt {3}memory v2 {2}production\nsince .*\(change #6\) {2}it won\n[\s\S]*\n\ntwo\nlines\n$/,
    )
    const before = await cli.run('resolve', 'memory', 'greet', '--at', '1h')
    expect(before).toMatchObject({ code: 2, out: '' })
    expect(before.err).toMatch(
      /there was no prompt "memory" at \d{4}-.* UTC\n +there was no prompt "greet" at /,
    )
  })

  it.each([
    { args: ['memroy'], code: 2, want: 'Did you mean memory?' },
    { args: ['memory', '--alias', 'staging'], code: 2, want: 'prompt "memory" has no alias "staging"' },
    { args: ['memory', 'nobody'], code: 1, want: 'there is no prompt "nobody"' },
    {
      args: ['memory', 'greet', '--alias', 'experiment'],
      code: 1,
      want: 'prompt "greet" has no alias "experiment"',
    },
    { args: ['greet', 'memory', '--alias', 'a,b'], code: 2, want: 'has none of the aliases "a", "b"' },
  ])('says what there is not: $args', async ({ args, code, want }) => {
    const outcome = await cli.run('resolve', ...args)
    expect(outcome.code).toBe(code)
    expect(outcome.err).toContain(want)
    expect(outcome.out === '').toBe(code === 2)
  })

  it.each([
    { args: [], want: "missing required argument 'names'" },
    { args: ['a b'], want: 'name must be letters' },
    { args: ['memory', '--alias', 'v2'], want: 'for a version by number' },
    { args: ['memory', '--alias', 'a,,b'], want: '--alias must be letters' },
    { args: ['memory', '--at', 'noon'], want: '--at must be a time' },
    { args: ['memory', '--at', '2999-01-01'], want: 'is still to come' },
  ])('refuses $args', async ({ args, want }) => {
    const { code, out, err } = await cli.run('resolve', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(want)
  })
})
