import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextRound } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createGroupCommit, type GroupOptions } from './group-commit.ts'
import { openSqlite, type SqliteConnection } from './sqlite.ts'

/** A group commit on a file with a table of numbers, and what its connection was asked. */
async function opened(options: GroupOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'promptkeep-group-'))
  const path = join(folder, 'a.db')
  const connection = openSqlite({ path })
  const reader = openSqlite({ path, readOnly: true })
  onTestFinished(async () => {
    reader.close()
    connection.close()
    await rm(folder, { recursive: true, force: true })
  })
  connection.run('create table numbers (n integer not null unique) strict')
  connection.run('create table texts (t text not null) strict')
  const ran: string[] = []
  let broken: { readonly sql: string; readonly error: Error } | undefined
  const watched: SqliteConnection = {
    ...connection,
    get inTransaction() {
      return connection.inTransaction
    },
    run(sql, parameters) {
      ran.push(sql)
      if (sql === broken?.sql) throw broken.error
      return connection.run(sql, parameters)
    },
  }
  const group = createGroupCommit(watched, options)

  async function insert(n: number, { text }: { text?: string } = {}) {
    const transaction = await group.begin()
    try {
      transaction.run('insert into numbers values (?)', [n])
      if (text !== undefined) transaction.run('insert into texts values (?)', [text])
    } catch (error) {
      await transaction.rollback()
      throw error
    }
    await transaction.commit()
  }
  return {
    path,
    group,
    connection,
    insert,
    stored: () => reader.run('select n from numbers order by n').rows.map(({ n }) => n),
    commits: () => ran.filter((sql) => sql === 'commit').length,
    /** Makes a statement fail from now on; without arguments no longer. */
    fails(sql?: string, error = new Error('no')) {
      broken = sql === undefined ? undefined : { sql, error }
    },
  }
}

const settled = (all: readonly Promise<unknown>[]) =>
  Promise.all(
    all.map((one) =>
      one.then(
        () => 'kept',
        (error: Error) => error.message,
      ),
    ),
  )

describe('a group of write transactions', () => {
  it('is made durable by one commit, and nobody sees any of it, or is told, before', async () => {
    const { insert, stored, commits } = await opened()
    let told = 0
    const all = [1, 2, 3, 4, 5].map((n) => insert(n).then(() => told++))
    for (let i = 0; i < 100; i++) await Promise.resolve() // all of them have run
    expect([told, stored(), commits()]).toEqual([0, [], 0])
    await Promise.all(all)
    expect([told, stored(), commits()]).toEqual([5, [1, 2, 3, 4, 5], 1])
  })

  it('is one transaction when nobody else writes, and then it ends in this round of the event loop', async () => {
    const { insert, stored, commits } = await opened()
    let told = false
    insert(1).then(() => {
      told = true
    })
    await nextRound()
    await nextRound()
    expect([told, stored(), commits()]).toEqual([true, [1], 1])
    await insert(2)
    expect(commits()).toBe(2)
  })

  it('goes on without the one that fails', async () => {
    const { insert, stored, commits } = await opened()
    const results = await settled([insert(1), insert(2, { text: 'x' }), insert(1, { text: 'y' }), insert(3)])
    expect(results).toEqual(['kept', 'kept', expect.stringContaining('UNIQUE'), 'kept'])
    expect([stored(), commits()]).toEqual([[1, 2, 3], 1])
  })

  it('tells the one that fails only when what it read is on the disk', async () => {
    const { insert, stored, fails } = await opened()
    fails('commit', new Error('the disk is gone'))
    // The second fails because of the first, which is then not kept either.
    expect(await settled([insert(1), insert(1)])).toEqual(['the disk is gone', 'the disk is gone'])
    fails()
    await insert(1)
    expect(stored()).toEqual([1])
  })

  it('is undone at once by the one that fails alone', async () => {
    const { insert, stored, connection } = await opened()
    await insert(1)
    const transaction = await insert(1).catch(() => connection.inTransaction)
    expect([transaction, stored()]).toEqual([false, [1]])
  })

  it('fails as a whole with the error of its commit, keeps nothing, and the next one is free of it', async () => {
    const { insert, stored, fails, connection } = await opened()
    fails('commit', new Error('the disk is gone'))
    expect(await settled([insert(1), insert(2)])).toEqual(['the disk is gone', 'the disk is gone'])
    expect([stored(), connection.inTransaction]).toEqual([[], false])
    fails()
    await Promise.all([insert(1), insert(2)])
    expect(stored()).toEqual([1, 2])
  })

  it.each(['savepoint one', 'release one', 'rollback to one'])(
    'fails as a whole where "%s" does',
    async (sql) => {
      const { insert, stored, fails, connection } = await opened()
      fails(sql, new Error('broken'))
      const results = await settled([insert(1), insert(1), insert(2)])
      expect(results.filter((said) => said === 'kept')).toEqual(stored().map(() => 'kept'))
      expect(results).toContain('broken')
      expect(connection.inTransaction).toBe(false)
      fails()
      await insert(3)
      expect(stored()).toContain(3)
    },
  )

  it('fails as a whole when the disk is full: SQLite undoes all of it, and nothing is written outside', async () => {
    const { group, insert, stored, connection } = await opened()
    connection.run('pragma max_page_count = 12')
    const full = 'the disk of the SQLite file is full'
    const stubborn = async () => {
      const transaction = await group.begin()
      expect(() => transaction.run('insert into texts values (?)', ['x'.repeat(100_000)])).toThrow(full)
      // Who goes on all the same would write outside any transaction.
      if (!connection.inTransaction)
        expect(() => transaction.run('insert into numbers values (?)', [9])).toThrow(full)
      await transaction.rollback()
      throw new Error(full)
    }
    const results = await settled([insert(1), stubborn(), insert(2)])
    expect(results[1]).toBe(full)
    expect(results.filter((said) => said === 'kept')).toHaveLength(stored().length)
    expect(stored()).not.toContain(9)
    connection.run('pragma max_page_count = 1000000')
    await insert(3)
    expect(stored()).toContain(3)
  })

  it('has at most so many members, and so much in it', async () => {
    const few = await opened({ members: 3 })
    await Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => few.insert(n)))
    expect([few.stored(), few.commits()]).toEqual([[1, 2, 3, 4, 5, 6, 7], 3])
    const small = await opened({ size: 1000 })
    await Promise.all([1, 2, 3, 4].map((n) => small.insert(n, { text: 'x'.repeat(600) })))
    expect([small.stored(), small.commits()]).toEqual([[1, 2, 3, 4], 2])
  })

  it('is committed before anything runs outside a transaction', async () => {
    const { group, insert, stored } = await opened()
    const all = [insert(1), insert(2)]
    expect(await group.alone(stored)).toEqual([1, 2])
    await Promise.all(all)
  })

  it('waits for a lock of another connection, also of one in this process', async () => {
    const { path, insert, stored } = await opened()
    const other = openSqlite({ path })
    onTestFinished(() => other.close())
    other.run('begin immediate')
    setTimeout(() => other.run('commit'), 50)
    await insert(1)
    expect(stored()).toEqual([1])
  })

  it('says so when the lock is held too long, and goes on after it', async () => {
    const { path, insert, stored } = await opened({ busyTimeoutMs: 30 })
    const other = openSqlite({ path })
    onTestFinished(() => other.close())
    other.run('begin immediate')
    const locked = { code: 'UNAVAILABLE', message: expect.stringContaining('locked by another process') }
    await expect(insert(1)).rejects.toMatchObject(locked)
    other.run('rollback')
    await insert(2)
    expect(stored()).toEqual([2])
  })
})
