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
  expect(server.ours.lookupsPerSecond).toBeGreaterThan(0)
  expect(server.ours.createsPerSecond).toBeGreaterThan(0)
  for (const figure of [...Object.values(client.ours), ...Object.values(server.ours)])
    expect(figure).toBeGreaterThan(0)
})
