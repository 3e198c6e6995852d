import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { startRegistry } from '../../../../tests/support/registry.ts'
import { asking, createTestCli, type TestCli } from '../test-io.ts'

let dir: string
let as: (token?: string) => TestCli
let root: string
let token: (name: string, roles: string) => Promise<string>

/** A server with an admin, and `memory` with two versions; production at v1. */
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  const server = await startRegistry()
  const cli = createTestCli(dir)
  as = (token) => cli.with(asking(server.url, token))
  root = (await as().run('token', 'create', 'root', '--role', 'admin')).out.trim()
  token = async (name, roles) => (await as(root).run('token', 'create', name, '--role', roles)).out.trim()
  await as(root).run('register', 'memory', '--template', 'one', '--alias', 'production')
  await as(root).run('register', 'memory', '--template', 'two')
  return async () => {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

describe('policy', () => {
  it('is set, listed and removed', async () => {
    expect(await as(root).run('policy', 'list')).toEqual({
      code: 0,
      out: '',
      err: 'No policies: writers, promoters and admins may move every alias.\n',
    })
    const flags = ['--role', 'promoter', '--require-reason', '--require-evidence', '--max-age', '24h']
    expect(await as(root).run('policy', 'set', 'production', ...flags)).toEqual({
      code: 0,
      out: 'production: may be moved by promoter, admin; needs a reason and evidence not older than 1d\n',
      err: '',
    })
    await as(root).run('policy', 'set', 'experiment')
    const { out } = await as(root).run('policy', 'list')
    expect(out).toMatch(
      /^ALIAS +MAY MOVE +REASON +EVIDENCE +SET\nexperiment +writer, promoter, admin +- +- +\d{4}-.* by root\n/,
    )
    expect(out).toMatch(/\nproduction +promoter, admin +required +required, ≤ 1d +\d{4}-.* by root\n$/)
    expect(JSON.parse((await as(root).run('policy', 'list', '--json')).out).policies[1]).toMatchObject({
      alias: 'production',
      roles: ['promoter'],
      reasonRequired: true,
      evidenceRequired: true,
      maxAgeSeconds: 86_400,
      updatedBy: 'root',
      updatedAt: expect.stringMatching(/Z$/),
    })
    expect(await as(root).run('policy', 'remove', 'production')).toMatchObject({
      code: 0,
      out: 'production: no policy; writers, promoters and admins may move it\n',
    })
    expect(await as(root).run('policy', 'remove', 'experimnt')).toMatchObject({
      code: 2,
      err: 'error: alias "experimnt" has no policy\nDid you mean experiment?\n',
    })
  })

  it.each([
    { args: ['set', 'latest'], want: 'reserved' },
    { args: ['set', 'production', '--role', 'reader'], want: 'writer, promoter, admin' },
    { args: ['set', 'production', '--role', 'promotr'], want: 'Did you mean promoter?' },
    { args: ['set', 'production', '--max-age', '24h'], want: 'give --require-evidence with it' },
    {
      args: ['set', 'production', '--require-evidence', '--max-age', '1y'],
      want: '--max-age must be a time such as',
    },
    { args: ['sett', 'production'], want: 'Did you mean set?' },
    { args: [], want: 'promptkeep policy list' },
  ])('refuses $args and sets nothing', async ({ args, want }) => {
    const { code, out, err } = await as(root).run('policy', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(want)
    expect((await as(root).run('policy', 'list')).err).toContain('No policies')
  })
})

describe('a guarded alias', () => {
  const version = async () => JSON.parse((await as(root).run('show', 'memory', '--json')).out).version

  it.each([
    { clause: 'role', flags: ['--role', 'promoter'], roles: 'writer', more: ['--reason', 'x'] },
    { clause: 'reason', flags: ['--role', 'promoter', '--require-reason'], roles: 'promoter', more: [] },
    { clause: 'evidence', flags: ['--require-evidence'], roles: 'promoter', more: ['--reason', 'x'] },
    {
      clause: 'run',
      flags: ['--require-evidence'],
      roles: 'promoter',
      more: ['--evidence', 'f'.repeat(32)],
    },
  ])('names the clause "$clause", and where to look', async ({ clause, flags, roles, more }) => {
    await as(root).run('policy', 'set', 'production', ...flags)
    const mover = as(await token('mover', roles))
    const { code, out, err } = await mover.run('alias', 'memory', 'production', '2', ...more)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(`clause "${clause}"`)
    expect(err).toContain(
      '\nWhat you may do: promptkeep whoami   What an alias asks for: promptkeep policy list\n',
    )
    expect(await version()).toBe(1)
  })

  it('is moved by an admin who forces it and says why, and the history marks it', async () => {
    await as(root).run('policy', 'set', 'production', '--require-evidence')
    expect(await as(root).run('alias', 'memory', 'production', '2', '--force')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--force needs --reason'),
    })
    expect(
      await as(root).run('alias', 'memory', 'production', '2', '--force', '--reason', 'the old one leaks'),
    ).toMatchObject({ code: 0, out: 'memory@production: v1 -> v2  (forced)\n' })
    const { out } = await as(root).run('history', 'memory', '--limit', '1')
    expect(out).toMatch(/alias\.moved +production v1 -> v2 \(forced\) +root +the old one leaks\n$/)

    const promoter = as(await token('mover', 'promoter'))
    const { code, err } = await promoter.run('alias', 'memory', 'production', '1', '--force', '--reason', 'x')
    expect(code).toBe(2)
    expect(err).toContain('Only an admin may force')
  })
})
