import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'

/** The bench still runs and counts right. Times are never asserted: the machine is shared. */
it('runs small and prints counts and shape', { timeout: 120_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-bench-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const json = join(dir, 'figures.json')
  const root = join(import.meta.dirname, '..')
  const command = ['--import', 'tsx', 'bench/main.ts', '--small', '--json', json]
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: root })

  expect(stdout).toContain('| cached load in ns |')
  const { server, client } = JSON.parse(await readFile(json, 'utf8'))
  expect(client.ours.coldLoadRequests).toBe(1)
  expect(client.ours.herdRequests).toBe(1)
  const { lookups, moves, creates, ...rest } = server.ours
  const loads = [lookups, moves, creates].flatMap((load) => [load[1], load[16]]).flatMap(Object.values)
  expect(loads).toHaveLength(18)
  for (const figure of [...Object.values(client.ours), ...Object.values(rest), ...loads])
    expect(figure).toBeGreaterThan(0)
})

it('shows what a growing registry costs', { timeout: 120_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-bench-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const json = join(dir, 'figures.json')
  const command = ['--import', 'tsx', 'bench/growth.ts', '--small', '--json', json]
  const { stdout } = await promisify(execFile)(process.execPath, command, {
    cwd: join(import.meta.dirname, '..'),
  })
  expect(stdout).toContain('| alias look-up |')
  const { few, many } = JSON.parse(await readFile(json, 'utf8'))
  expect([few.prompts, many.prompts]).toEqual([100, 1000])
  expect(Object.keys(few.medians)).toEqual(Object.keys(many.medians))
  for (const ms of [...Object.values(few.medians), ...Object.values(many.medians)])
    expect(ms).toBeGreaterThan(0)
})

it('tells every reader of the stream every move, with its text', { timeout: 120_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-bench-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const json = join(dir, 'figures.json')
  const command = ['--import', 'tsx', 'bench/live.ts', '--small', '--json', json]
  const { stdout } = await promisify(execFile)(process.execPath, command, {
    cwd: join(import.meta.dirname, '..'),
  })
  expect(stdout).toContain('| 20 readers, 4 moves |')
  const { thousand, many } = JSON.parse(await readFile(json, 'utf8'))
  expect(thousand.alone).toMatchObject({ readers: 20, moves: 4, wrong: 0 })
  expect(thousand.beside).toMatchObject({ readers: 20, moves: 4, wrong: 0 })
  expect(many.latency).toMatchObject({ readers: 100, moves: 3, wrong: 0 })
})
