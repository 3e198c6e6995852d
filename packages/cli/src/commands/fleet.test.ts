import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Admin, Fleet, FleetInstance } from '@promptkeep/client/admin'
import { createMemoryTransport } from '@promptkeep/client/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { createTestCli, type TestCli } from '../test-io.ts'

const AT = Date.parse('2026-11-20T12:00:00Z')
const digest = 'a'.repeat(64)

let cli: TestCli
let answers: Fleet[]
let asked: unknown[]

beforeEach(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  answers = []
  asked = []
  const fleet: Admin['fleet'] = async (query) => {
    asked.push(query)
    return (answers.length > 1 ? answers.shift() : answers[0]) as Fleet
  }
  const { address } = createMemoryTransport()
  cli = createTestCli(dir, { createAdmin: () => ({ address, fleet }) as unknown as Admin })
  return () => rm(dir, { recursive: true, force: true })
})

const instance = (name: string, version: number, secondsAgo = 4): FleetInstance => ({
  app: 'web',
  instance: name,
  version,
  digest,
  seq: 9,
  reportedAt: AT - secondsAgo * 1000,
})
const fleetOf = (instances: readonly FleetInstance[], version?: number): Fleet => ({
  seq: 9,
  at: AT,
  instances: instances.length,
  prompts:
    instances.length === 0
      ? []
      : [
          {
            name: 'memory',
            alias: 'production',
            ...(version !== undefined && { version, digest }),
            instances,
          },
        ],
})

describe('fleet', () => {
  it('names who is behind, by version, and counts those beyond five', async () => {
    const behind = Array.from({ length: 7 }, (_, i) => instance(`w${i}`, i < 6 ? 11 : 10))
    answers = [fleetOf([instance('x', 12), ...behind], 12)]
    expect(await cli.run('fleet')).toEqual({
      code: 0,
      out:
        'memory@production  v12  1 of 8 instances  v11: ' +
        `${[0, 1, 2, 3, 4].map((i) => `web/w${i} (4 s ago)`).join(', ')}, and 1 more; v10: web/w6 (4 s ago)\n`,
      err: '',
    })
  })

  it('asks for what it was told to', async () => {
    answers = [fleetOf([instance('x', 1)], 1)]
    await cli.run('fleet', 'memory', '--alias', 'staging', '--app', 'web')
    expect(asked).toEqual([{ prompt: 'memory', alias: 'staging', app: 'web' }])
  })

  it('another text under the same number is behind, and so is all of an alias that is gone', async () => {
    answers = [fleetOf([{ ...instance('x', 12), digest: 'b'.repeat(64) }], 12)]
    expect((await cli.run('fleet')).out).toContain('0 of 1 instance  v12: web/x')
    answers = [fleetOf([instance('x', 12)])]
    expect((await cli.run('fleet')).out).toContain('gone  0 of 1 instance  v12: web/x')
  })

  it('says how to report when nobody does', async () => {
    answers = [fleetOf([])]
    expect(await cli.run('fleet')).toEqual({
      code: 0,
      out: '',
      err:
        'No instance reports (0 instances in all). An app reports what it runs with\n' +
        "  registry.follow({ report: { app: 'my-app' } })\n",
    })
  })

  it('--wait asks until nobody is behind; then it is exit 0', async () => {
    answers = [fleetOf([instance('x', 11)], 12), fleetOf([instance('x', 12)], 12)]
    expect(await cli.run('fleet', 'memory', '--wait', '20')).toMatchObject({
      code: 0,
      out: 'memory@production  v12  1 of 1 instance\n',
    })
    expect(asked).toHaveLength(2)
  })

  it('--wait that is over says who is missing and is exit 1, also as JSON; without it the same is exit 0', async () => {
    answers = [fleetOf([instance('x', 11)], 12)]
    const { code, out } = await cli.run('fleet', 'memory', '--wait', '0', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      prompts: [{ version: 12, on: 0, of: 1, behind: [{ instance: 'x', version: 11 }] }],
    })
    expect((await cli.run('fleet', 'memory')).code).toBe(0)
  })

  it('refuses a name and a wait that are none', async () => {
    answers = [fleetOf([])]
    expect((await cli.run('fleet', 'a/b')).code).not.toBe(0)
    const { code, err } = await cli.run('fleet', '--wait', 'soon')
    expect(code).not.toBe(0)
    expect(err).toContain('whole number of seconds')
    expect(asked).toEqual([])
  })
})
