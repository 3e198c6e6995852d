import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../../../../tests/support/registry.ts'
import { asking, createTestCli, type TestCli } from '../test-io.ts'

const TOKEN = /^pk_[a-z0-9]{12}_[A-Za-z0-9_-]{43}\n$/

let dir: string
let server: TestRegistry
let database: string
/** The command line with this token, or with none. */
let as: (token?: string) => TestCli

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  server = await startRegistry()
  database = `sqlite:${join(server.dir, 'registry.db')}`
  const cli = createTestCli(dir, { loadServer: () => import('@promptkeep/server') })
  as = (token) => cli.with(asking(server.url, token?.trim()))
  return async () => {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

/** A token with these roles, by an admin who is made when there is none. */
async function admin() {
  return (await as().run('token', 'create', 'root', '--role', 'admin')).out.trim()
}

describe('token create', () => {
  it('prints the token alone, once; what it says about it goes to the person', async () => {
    const { code, out, err } = await as().run('token', 'create', 'root', '--role', 'admin')
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(TOKEN) })
    expect(err).toMatch(
      /^Token root \([a-z0-9]{12}\) has the role admin; it does not expire\.\n.*MLFLOW_TRACKING_TOKEN/,
    )
    expect(err).not.toContain(out.trim())

    const root = out.trim()
    expect(await as(root).run('whoami')).toEqual({ code: 0, out: 'root  admin\n', err: '' })
    const basic = as().with({
      env: {
        MLFLOW_TRACKING_URI: server.url,
        MLFLOW_TRACKING_USERNAME: 'any',
        MLFLOW_TRACKING_PASSWORD: root,
      },
    })
    expect((await basic.run('whoami')).out).toBe('root  admin\n')
    const listed = await as(root).run('token', 'list', '--json')
    expect(`${listed.out}${(await as(root).run('token', 'list')).out}`).not.toContain(root.slice(16))
  })

  it('gives several roles and an end', async () => {
    const root = await admin()
    const args = ['token', 'create', 'ci', '--role', 'promoter,evaluator', '--expires', '90d', '--json']
    const made = JSON.parse((await as(root).run(...args)).out)
    expect(made).toMatchObject({ name: 'ci', roles: ['evaluator', 'promoter'], createdBy: 'root' })
    expect((Date.parse(made.expiresAt) - Date.parse(made.createdAt)) / 86_400_000).toBeCloseTo(90)
    expect((await as(made.token).run('whoami')).out).toBe('ci  evaluator, promoter\n')
  })

  it('the first one must be an admin, or nobody could make the second', async () => {
    const { code, out, err } = await as().run('token', 'create', 'ci', '--role', 'promoter')
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain('promptkeep token create NAME --role admin')
    expect((await as().run('whoami')).err).toContain(
      'has no tokens: everybody who reaches it may do everything',
    )
  })

  it.each([
    {
      args: ['x', '--role', 'owner'],
      want: '--role must be one or more of reader, writer, evaluator, promoter, admin; got "owner"',
    },
    { args: ['x', '--role', 'promotor'], want: 'Did you mean promoter?' },
    { args: ['x'], want: '--role is missing: one or more of reader, writer' },
    { args: ['x', '--rol', 'admin'], want: 'Did you mean --role?' },
    {
      args: ['x', '--role', 'admin', '--expires', 'soon'],
      want: '--expires must be a time such as 12h, 90d or 4w',
    },
    { args: ['x', '--role', 'admin', '--expires', '999999d'], want: 'ten years' },
    { args: ['a b', '--role', 'admin'], want: 'name must be 1 to 64 letters' },
    { args: ['anonymous', '--role', 'admin'], want: 'which the log uses for others' },
  ])('refuses $args', async ({ args, want }) => {
    const { code, out, err } = await as().run('token', 'create', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(want)
    expect((await as().run('token', 'list')).err).toContain('No tokens')
  })

  it('a name is used once', async () => {
    const root = await admin()
    const { code, err } = await as(root).run('token', 'create', 'root', '--role', 'reader')
    expect(code).toBe(2)
    expect(err).toContain('root-2')
  })
})

describe('token list', () => {
  it('tells roles, who made it, when it ends and what became of it', async () => {
    const root = await admin()
    await as(root).run('token', 'create', 'short', '--role', 'reader', '--expires', '1s')
    await as(root).run('token', 'create', 'gone', '--role', 'writer')
    await as(root).run('token', 'revoke', 'gone')
    const later = as(root).with({ now: () => Date.now() + 2000 })
    const { code, out } = await later.run('token', 'list')
    expect(code).toBe(0)
    expect(out).toMatch(/^NAME +ID +ROLES +STATE +EXPIRES +LAST USED +MADE\n/)
    expect(out).toMatch(/\nroot +[a-z0-9]{12} +admin +valid +never +.* by anonymous\n/)
    expect(out).toMatch(/\nshort +[a-z0-9]{12} +reader +expired +\d{4}.* by root\n/)
    expect(out).toMatch(/\ngone +[a-z0-9]{12} +writer +revoked +never +.* by root\n$/)
    expect(JSON.parse((await later.run('token', 'list', '--json')).out).tokens).toMatchObject([
      { name: 'root', state: 'valid', roles: ['admin'] },
      { name: 'short', state: 'expired', expiresAt: expect.stringMatching(/Z$/) },
      { name: 'gone', state: 'revoked', revokedAt: expect.stringMatching(/Z$/) },
    ])
  })
})

describe('token revoke', () => {
  it.each(['name', 'id', 'text'] as const)('takes its %s, and it stops working', async (by) => {
    const root = await admin()
    const ci = JSON.parse((await as(root).run('token', 'create', 'ci', '--role', 'reader', '--json')).out)
    const given = { name: 'ci', id: ci.id, text: ci.token }[by]
    expect(await as(root).run('token', 'revoke', given)).toEqual({
      code: 0,
      out: `ci (${ci.id}): revoked\n`,
      err: '',
    })
    const { code, err } = await as(ci.token).run('list')
    expect(code).toBe(2)
    expect(err).toMatch(/The token ci was revoked at .*; an admin can make another/)
    expect(err).not.toContain(ci.token)
    expect((await as(root).run('token', 'revoke', given)).out).toContain('was revoked before')
  })

  it('suggests the nearest name, and repeats no secret that nobody knows', async () => {
    const root = await admin()
    expect((await as(root).run('token', 'revoke', 'rot')).err).toContain('Did you mean root?')
    const strange = `pk_abcdefghijkl_${'x'.repeat(43)}`
    const { code, err } = await as(root).run('token', 'revoke', strange)
    expect(code).toBe(2)
    expect(err).toContain('there is no token of this text')
    expect(err).not.toContain('xxx')
  })

  it('keeps the last admin, unless it is forced', async () => {
    const root = await admin()
    const { code, err } = await as(root).run('token', 'revoke', 'root')
    expect(code).toBe(2)
    expect(err).toMatch(/last valid token of an admin[\s\S]*\nTo take it all the same: --force/)
    expect((await as(root).run('whoami')).code).toBe(0)
    expect((await as(root).run('token', 'revoke', 'root', '--force')).code).toBe(0)
    expect((await as(root).run('whoami')).code).toBe(2)
  })
})

describe('a token that may not, or none', () => {
  it('is told which variables to set, and who can make one', async () => {
    const root = await admin()
    const none = await as().run('list')
    expect(none).toMatchObject({ code: 2, out: '' })
    expect(none.err).toMatch(
      /An admin makes one with: promptkeep token create .*\nNo credentials were sent: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD\.\n$/,
    )
    expect((await as('wrong').run('list')).err).toMatch(/\nMLFLOW_TRACKING_TOKEN was sent\.\n$/)
    const both = {
      MLFLOW_TRACKING_USERNAME: 'any',
      MLFLOW_TRACKING_PASSWORD: 'wrong',
      MLFLOW_TRACKING_TOKEN: root,
    }
    const { err } = await as()
      .with({ env: { MLFLOW_TRACKING_URI: server.url, ...both } })
      .run('list')
    expect(err).toContain('MLFLOW_TRACKING_PASSWORD were sent, which outrank MLFLOW_TRACKING_TOKEN.')
    expect(err).not.toContain(root)
  })

  it('is told which role is missing', async () => {
    const root = await admin()
    const reader = (await as(root).run('token', 'create', 'reader-1', '--role', 'reader')).out
    for (const args of [
      ['token', 'list'],
      ['token', 'create', 'x', '--role', 'admin'],
      ['policy', 'set', 'production'],
    ]) {
      const { code, out, err } = await as(reader).run(...args)
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(err).toContain('needs the role admin; the token reader-1 has the role reader')
      expect(err).toContain('promptkeep whoami')
      expect(err).not.toContain(reader.trim())
    }
  })
})

describe('--database', () => {
  it('makes the first token without a server, and gets in again when all are lost', async () => {
    const alone = createTestCli(dir, { loadServer: () => import('@promptkeep/server') })
    const url = `sqlite:${join(dir, 'new.db')}`
    const made = await alone.run('token', 'create', 'first', '--role', 'admin', '--database', url)
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(TOKEN) })
    expect((await alone.run('token', 'list', '--database', url)).out).toMatch(/first .* by system\n$/)
    expect((await alone.run('token', 'revoke', 'first', '--database', url)).out).toMatch(
      /^first \(.*\): revoked\n$/,
    )
    expect((await alone.run('token', 'list', '--database', url)).out).toMatch(/first .* revoked/)
  })

  it('works on the database of a server that runs', async () => {
    const root = await admin()
    await as(root).run('token', 'revoke', 'root', '--force')
    const again = await as().run('token', 'create', 'again', '--role', 'admin', '--database', database)
    expect((await as(again.out).run('whoami')).out).toBe('again  admin\n')
  })

  it.each([
    { args: ['list', '--database', 'sqlite:none.db'], want: 'there is no such file' },
    { args: ['revoke', 'x', '--database', 'sqlite:none.db'], want: 'there is no such file' },
    { args: ['list', '--database', 'mysql://x'], want: 'database' },
    {
      args: ['create', 'x', '--role', 'admin', '--database', 'sqlite::memory:'],
      want: 'ends with this command',
    },
    {
      args: ['list', '--database', 'sqlite:a.db', '--tracking-uri', 'http://127.0.0.1:1'],
      want: 'give one of them',
    },
  ])('refuses $args', async ({ args, want }) => {
    const { code, out, err } = await as().run('token', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(want)
  })
})
