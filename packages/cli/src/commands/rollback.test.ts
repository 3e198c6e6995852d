import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { startRegistry } from '../../../../tests/support/registry.ts'
import { asking, createTestCli, type TestCli } from '../test-io.ts'

let cli: TestCli
let as: (token?: string) => TestCli
let url: string

/** `memory` with three versions, production at v1 (#2), v2 (#4), v3 (#6). */
beforeEach(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  const server = await startRegistry()
  as = (token) => createTestCli(dir).with(asking(server.url, token))
  cli = as()
  url = server.url
  for (const template of ['one', 'two', 'three'])
    await cli.run('register', 'memory', '--template', template, '--alias', 'production')
  return async () => {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

const version = async (ref = 'memory') => JSON.parse((await cli.run('show', ref, '--json')).out).version

describe('rollback', () => {
  it('brings back what was before the last change, and says what it did', async () => {
    expect(await cli.run('rollback', 'memory', '--reason', 'longer answers')).toEqual({
      code: 0,
      out: 'memory@production: v3 -> v2  (change #7, restores #4)\n',
      err: '',
    })
    expect(await version()).toBe(2)
    const [change] = JSON.parse((await cli.run('history', 'memory', '--json')).out).changes
    expect(change).toMatchObject({ seq: 7, restores: 4, reason: 'longer answers', from: 3, to: 2 })
    expect((await cli.run('rollback', 'memory', '--reason', 'no, it was fine')).out).toMatch(/: v2 -> v3 /)
  })

  it('goes to any row, also of another alias', async () => {
    expect((await cli.run('rollback', 'memory', '--to-seq', '2', '--reason', 'x')).out).toBe(
      'memory@production: v3 -> v1  (change #7, restores #2)\n',
    )
    await cli.run('alias', 'memory', 'experiment', '2')
    await cli.run('alias', 'memory', 'experiment', '3')
    expect((await cli.run('rollback', 'memory', '--to-seq', '8', '--reason', 'x')).out).toBe(
      'memory@experiment: v3 -> v2  (change #10, restores #8)\n',
    )
    expect(await version()).toBe(1)
    const json = JSON.parse(
      (await cli.run('rollback', 'memory', '--alias', 'experiment', '--reason', 'x', '--json')).out,
    )
    expect(json).toMatchObject({
      prompt: 'memory',
      dryRun: false,
      changes: [{ from: 2, to: 3, at: expect.stringMatching(/Z$/) }],
    })
  })

  it('goes back to an alias that was unset', async () => {
    await cli.run('alias', 'memory', 'experiment', '2')
    const { out, err } = await cli.run('rollback', 'memory', '--alias', 'experiment', '--reason', 'x')
    expect(out).toMatch(/^memory@experiment: v2 -> unset {2}\(change #8, restores #\d+\)\n$/)
    expect(err).toContain('memory has no alias experiment now')
    expect(err).toContain('Undo: promptkeep rollback memory --alias experiment --reason')
    expect((await cli.run('show', 'memory@experiment')).code).toBe(2)
  })

  it('a dry run does not count a move to where the alias was, as the rollback does not', async () => {
    await cli.run('alias', 'memory', 'production', '3')
    const dry = await cli.run('rollback', 'memory', '--dry-run')
    const done = await cli.run('rollback', 'memory', '--reason', 'x')
    expect(dry.out).toContain('memory@production: v3 -> v2 ')
    expect(done.out).toContain('memory@production: v3 -> v2 ')
  })

  it.each([
    { args: [], from: 3, to: 2 },
    { args: ['--to-seq', '2'], from: 3, to: 1 },
    { args: ['--to-seq', '3'], from: 3, to: 1 },
    { args: ['--alias', 'experiment'], from: 2, to: 'unset' },
  ])('a dry run says the same, and changes nothing: $args', async ({ args, from, to }) => {
    await cli.run('alias', 'memory', 'experiment', '2')
    const before = await cli.run('history', 'memory', '--json')
    const dry = await cli.run('rollback', 'memory', ...args, '--dry-run')
    expect(dry.code).toBe(0)
    if (to === 'unset') expect(dry.err).toContain('memory has no alias experiment then')
    else expect(dry.err).toBe('')
    expect(dry.out).toContain(`: v${from} -> ${to === 'unset' ? to : `v${to}`} `)
    expect(dry.out).toMatch(/\(dry run: nothing moved\)\n$/)
    expect(await cli.run('history', 'memory', '--json')).toEqual(before)
    const real = await cli.run('rollback', 'memory', ...args, '--reason', 'x')
    const words = (text: string) => text.split('  ')[0]
    expect(words(real.out)).toBe(words(dry.out))
  })

  it.each([{ more: ['--reason', 'x'] }, { more: ['--dry-run'] }])(
    'is exit 1 when another version is there $more',
    async ({ more }) => {
      const { code, out, err } = await cli.run('rollback', 'memory', '--expect', '2', ...more)
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toBe(
        'error: alias "production" of "memory" is at v3, not as --expect 2 says; nothing moved\n' +
          'See who moved it: promptkeep history memory\n',
      )
      expect(await version()).toBe(3)
      expect((await cli.run('rollback', 'memory', '--expect', '3', ...more)).code).toBe(0)
    },
  )

  it.each([{ more: ['--reason', 'x', '--expect', '3'] }, { more: ['--dry-run'] }])(
    'is exit 1 when there is nothing to bring back $more',
    async ({ more }) => {
      const { code, err } = await cli.run('rollback', 'memory', '--to-seq', '6', ...more)
      expect(code).toBe(1)
      expect(err).toMatch(/there is +nothing to roll back/)
    },
  )

  it.each([
    { args: ['memory'], want: '--reason is missing' },
    { args: ['memory', '--reason', ' '], want: '--reason is missing' },
    { args: ['memroy', '--reason', 'x'], want: 'Did you mean memory?' },
    {
      args: ['memory', '--reason', 'x', '--to-seq', '99'],
      want: '--to-seq must be the number of a change of memory; got 99, which the log does not have',
    },
    { args: ['memory', '--dry-run', '--to-seq', '99'], want: '"memory" has no change #99' },
    { args: ['memory', '--reason', 'x', '--to-seq', '0'], want: '--to-seq must be a whole number from 1' },
    { args: ['memory', '--reason', 'x', '--alias', 'experiment'], want: 'never set' },
    { args: ['memory', '--dry-run', '--alias', 'experiment'], want: 'never set' },
    { args: ['memory', '--reason', 'x', '--alias', 'latest'], want: '--alias must be anything but "latest"' },
  ])('refuses $args', async ({ args, want }) => {
    const { code, out, err } = await cli.run('rollback', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(want)
    expect(await version()).toBe(3)
  })

  it('says that a version was deleted since, and what else can be done', async () => {
    const body = JSON.stringify({ name: 'memory', version: '2' })
    const headers = { 'content-type': 'application/json' }
    await fetch(`${url}/api/2.0/mlflow/model-versions/delete`, { method: 'DELETE', body, headers })
    const { code, err } = await cli.run('rollback', 'memory', '--to-seq', '4', '--reason', 'x')
    expect(code).toBe(2)
    expect(err).toMatch(/Version 2 of memory, .* was deleted since.*register its text as a new version/)
  })

  it('is told of the policy that refuses it, and forced by an admin', async () => {
    const root = as((await cli.run('token', 'create', 'root', '--role', 'admin')).out.trim())
    const writer = as((await root.run('token', 'create', 'w', '--role', 'writer')).out.trim())
    await root.run('policy', 'set', 'production', '--role', 'promoter', '--require-evidence')
    const { code, err } = await writer.run('rollback', 'memory', '--reason', 'x')
    expect(code).toBe(2)
    expect(err).toMatch(/clause "role"[\s\S]*promptkeep whoami/)
    const promoter = as((await root.run('token', 'create', 'p', '--role', 'promoter')).out.trim())
    // What was in force before needs no new evidence.
    expect((await promoter.run('rollback', 'memory', '--reason', 'x')).out).toMatch(/v3 -> v2/)
    await root.run('alias', 'memory', 'experiment', '2')
    await root.run('policy', 'set', 'experiment', '--require-evidence')
    const unset = ['rollback', 'memory', '--alias', 'experiment', '--reason', 'x']
    expect((await root.run(...unset)).err).toContain('clause "evidence"')
    expect((await root.run(...unset, '--force')).out).toMatch(
      /v2 -> unset {2}\(change #\d+, restores #\d+, forced\)\n$/,
    )
  })
})
