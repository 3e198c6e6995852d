import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openStore } from '../packages/server/src/store/open-store.ts'
import { held, replayed, wholeLog } from './support/audit.ts'
import { type Postgres, postgresSkip, startPostgres } from './support/postgres.ts'
import { spawnSource } from './support/spawn-source.ts'

const WRITERS = ['ada', 'grace', 'edsger', 'barbara']
const TURNS = 15

function describeWriters(name: string, url: () => Promise<string>, skip = '') {
  describe.skipIf(skip)(`four processes write to one ${name} ${skip}`.trim(), () => {
    it('and every reader sees their changes in the order of their numbers, none left out', async () => {
      const at = await url()
      let running = true
      const writers = Promise.all(WRITERS.map((actor) => writeAll(at, actor))).finally(() => {
        running = false
      })
      const store = await openStore(at) // migrates beside the four
      onTestFinished(() => store.close())

      const seen: (number | undefined)[] = []
      while (running) {
        // A number that is committed after a higher one was read would be missing here for ever.
        for (const { seq } of await store.changes.after(seen.at(-1) ?? 0, 1000)) seen.push(seq)
        await sleep(1)
      }
      await writers
      const log = await wholeLog(store)
      expect(log).toHaveLength(WRITERS.length * TURNS * 2)
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1))
      expect(seen).toEqual(log.slice(0, seen.length).map(({ seq }) => seq))
      expect(seen.length).toBeGreaterThan(0)
      expect(await held(store)).toEqual(replayed(log))
      for (const actor of WRITERS)
        expect(log.filter((change) => change.actor === actor)).toHaveLength(TURNS * 2)
    }, 60_000)
  })
}

async function writeAll(url: string, actor: string) {
  const writer = spawnSource('store-writer.ts', [url, actor, String(TURNS)])
  let complaints = ''
  writer.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  writer.stdout.resume()
  const code = await new Promise((resolve) => writer.once('close', resolve))
  if (code !== 0) throw new Error(`${actor} failed (${code}):\n${complaints}`)
}

let folder = ''
let postgres: Postgres | undefined
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'promptkeep-writers-'))
  if (postgresSkip === '') postgres = await startPostgres()
})
afterAll(async () => {
  await postgres?.stop()
  await rm(folder, { recursive: true, force: true })
})
describeWriters('SQLite file', async () => `sqlite:${join(folder, 'registry.db')}`)
describeWriters('Postgres', async () => (postgres as Postgres).createDatabase(), postgresSkip)
