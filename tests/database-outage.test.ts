import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silent } from '@promptkeep/client/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../packages/server/src/app.ts'
import { openStore } from '../packages/server/src/store/open-store.ts'
import { openSqlite } from '../packages/sql/src/sqlite.ts'
import { postgresSkip, startPostgres } from './support/postgres.ts'

/** The server on a database, with what it logged from `warn` up. */
async function serverOn(url: string) {
  const store = await openStore(url)
  onTestFinished(() => store.close().catch(() => {}))
  const logged: { level: string; event: string; fields: object }[] = []
  const at = (level: string) => (fields: object, event: string) => void logged.push({ level, event, fields })
  const log = { ...silent, warn: at('warn'), error: at('error') }
  const app = createApp({ store, log, newId: () => 'id-1', elapsedMs: () => 0, random: () => 0 })
  const create = async (name: string) => {
    const headers = { 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body: JSON.stringify({ name }) }
    const answer = await app.request('/api/2.0/mlflow/registered-models/create', init)
    return { status: answer.status, body: (await answer.json()) as Record<string, string> }
  }
  const get = async (name: string) => {
    const answer = await app.request(`/api/2.0/mlflow/registered-models/get?name=${name}`)
    return { status: answer.status, body: (await answer.json()) as Record<string, string> }
  }
  return { create, get, logged }
}

const unavailable = (reason: RegExp) => ({
  status: 503,
  body: {
    error_code: 'TEMPORARILY_UNAVAILABLE',
    message: expect.stringMatching(
      new RegExp(
        `^The database cannot be used now: ${reason.source}\\. Nothing is acknowledged; try again\\.$`,
      ),
    ),
  },
})
const warned = { level: 'warn', event: 'database.unavailable' }

describe('without its database the server', () => {
  it('answers 503 while another process locks the SQLite file, and works again after it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'promptkeep-outage-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'registry.db')
    const { create, get, logged } = await serverOn(`sqlite:${path}`)
    const other = openSqlite({ path })
    onTestFinished(() => other.close())
    other.run('begin immediate')
    const locked = /the SQLite file is locked by another process, and still was after 5 s/
    expect(await create('x')).toMatchObject(unavailable(locked))
    expect((await get('x')).status).toBe(404) // reading goes on
    expect(logged).toMatchObject([{ ...warned, fields: { correlationId: 'id-1', method: 'POST' } }])
    other.run('rollback')
    expect((await create('x')).status).toBe(200)
  }, 20_000)

  it.skipIf(postgresSkip)(
    `answers 503 once Postgres is gone ${postgresSkip}`.trim(),
    async () => {
      const postgres = await startPostgres()
      onTestFinished(() => postgres.stop())
      const { create, get, logged } = await serverOn(await postgres.createDatabase())
      expect((await create('x')).status).toBe(200)
      await postgres.stop()
      for (const answer of [await get('x'), await create('y')]) {
        expect(answer).toMatchObject(unavailable(/Postgres .*/))
        expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|\.ts:|node_modules/)
      }
      const ofRequests = logged.filter(({ event }) => event === 'database.unavailable')
      expect(ofRequests).toHaveLength(2)
      expect(ofRequests).toMatchObject([
        warned,
        { ...warned, fields: { err: { cause: expect.stringMatching(/./) } } },
      ])
      expect(logged.filter(({ level }) => level === 'error')).toEqual([])
    },
    60_000,
  )
})
