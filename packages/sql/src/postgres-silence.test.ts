import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Postgres, postgresSkip, startPostgres } from '../../../tests/support/postgres.ts'
import { openDatabase } from './open.ts'

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

/** Stands before a Postgres, and can stop handing on what it gets, without a word to either side. */
async function startProxy(url: string) {
  const sockets = new Set<Socket>()
  let isSilent = false
  const server = createServer((near) => {
    const far = dial(Number(new URL(url).port), '127.0.0.1')
    for (const [from, to] of [[near, far] as const, [far, near] as const]) {
      sockets.add(from)
      from.on('data', (bytes) => !isSilent && to.write(bytes))
      from.on('error', () => {})
      // Nobody is told that the other one went away either.
      from.on('close', () => !isSilent && to.destroy())
    }
  })
  const proxied = new URL(url)
  proxied.port = String(await listen(server))
  return {
    url: proxied.href,
    fallSilent(silent: boolean) {
      isSilent = silent
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const isOutage = { name: 'SqlError', code: 'UNAVAILABLE' }

describe('a Postgres that says nothing', { timeout: 60_000 }, () => {
  it('from the start cannot be opened, and says so', async () => {
    const sockets: Socket[] = []
    const port = await listen(createServer((socket) => sockets.push(socket)))
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
    })
    await expect(
      openDatabase(`postgres://ada:pw@127.0.0.1:${port}/prompts`, { migrations: [] }),
    ).rejects.toThrow(new RegExp(`Cannot reach Postgres at 127\\.0\\.0\\.1:${port}/prompts: .*time`))
    expect(sockets.length).toBeGreaterThan(0)
  })

  describe.skipIf(postgresSkip)(`in mid-life ${postgresSkip}`.trim(), () => {
    let postgres: Postgres
    beforeAll(async () => {
      postgres = await startPostgres()
    })
    afterAll(() => postgres?.stop())

    async function opened(queryTimeoutMs: number) {
      const proxy = await startProxy(await postgres.createDatabase())
      const database = await openDatabase(proxy.url, { migrations: [], queryTimeoutMs })
      onTestFinished(async () => {
        await database.close()
        await proxy.stop()
      })
      await sql`create table numbers (n bigint)`.execute(database.db)
      return { proxy, ...database }
    }

    it('is an outage for whoever asks, and forgotten once it speaks again', async () => {
      const { proxy, db } = await opened(500)
      const numbers = async () => (await sql<{ n: number }>`select n from numbers`.execute(db)).rows
      proxy.fallSilent(true)
      const asked = await Promise.allSettled([numbers(), numbers(), numbers()])
      expect(asked).toMatchObject(asked.map(() => ({ status: 'rejected', reason: isOutage })))
      proxy.fallSilent(false)
      await sql`insert into numbers values (1)`.execute(db)
      for (let i = 0; i < 20; i++) expect(await numbers()).toEqual([{ n: 1 }])
    })

    it('fails the transaction that runs, of which nothing is kept', async () => {
      const { proxy, db } = await opened(500)
      const broken = db.transaction().execute(async (tx) => {
        await sql`insert into numbers values (1)`.execute(tx)
        proxy.fallSilent(true)
        await sql`insert into numbers values (2)`.execute(tx)
      })
      await expect(broken).rejects.toMatchObject(isOutage)
      proxy.fallSilent(false)
      await expect
        .poll(async () => (await sql`select n from numbers`.execute(db)).rows, { timeout: 10_000 })
        .toEqual([])
    })

    it('does not keep it from being closed', async () => {
      const proxy = await startProxy(await postgres.createDatabase())
      onTestFinished(() => proxy.stop())
      const { db, close } = await openDatabase(proxy.url, { migrations: [] })
      await sql`select 1`.execute(db)
      proxy.fallSilent(true)
      await close()
    })

    it('is cut off by Postgres itself when only a statement takes too long, and migrations are not', async () => {
      const { db } = await opened(500)
      await expect(sql`select pg_sleep(5)`.execute(db)).rejects.toMatchObject(isOutage)
      expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }])
      const slow = { number: 1, name: 'slow', up: () => ['select pg_sleep(1.2)'] }
      const url = await postgres.createDatabase()
      const { close } = await openDatabase(url, { migrations: [slow], queryTimeoutMs: 500 })
      await close()
    })
  })
})
