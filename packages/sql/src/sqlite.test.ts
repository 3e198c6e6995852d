import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openSqlite, type SqliteConnection, type SqliteOptions } from './sqlite.ts'

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'promptkeep-sqlite-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

function opened(options: SqliteOptions): SqliteConnection {
  const connection = openSqlite(options)
  onTestFinished(() => connection.close())
  return connection
}

describe('every JavaScript type through the guard', () => {
  let results: Record<string, unknown>

  beforeAll(async () => {
    const fixture = fileURLToPath(new URL('every-type.fixture.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', fixture])
    results = JSON.parse(stdout)
  })

  it.each([
    ['the number 7', { s: '7', ts: 'text', n: 7, tn: 'integer', r: 7, tr: 'real', x: 7, tx: 'integer' }],
    ['the number -7', { s: '-7', n: -7, tn: 'integer', x: -7, tx: 'integer' }],
    ['the number 0', { s: '0', n: 0, tn: 'integer', x: 0, tx: 'integer' }],
    ['the number 1.5', { s: '1.5', r: 1.5, x: 1.5, tx: 'real' }],
    ['the largest safe integer', { s: '9007199254740991', n: 9007199254740991, x: 9007199254740991 }],
    ['a time', { s: '1700000000000', n: 1700000000000, tn: 'integer', x: 1700000000000 }],
    ['the number 1e300', { r: 1e300, x: 1e300 }],
    ['the bigint 7', { s: '7', n: 7, tn: 'integer', x: 7, tx: 'integer' }],
    ['true', { n: 1, tn: 'integer', x: 1, tx: 'integer' }],
    ['false', { n: 0, tn: 'integer', x: 0, tx: 'integer' }],
    ['null', { s: null, n: null, r: null, x: null }],
    ['text', { s: 'ünïcode ☕ 😀 "quoted" \u2028', x: 'ünïcode ☕ 😀 "quoted" \u2028' }],
    ['an empty text', { s: '', ts: 'text', x: '', tx: 'text' }],
    ['the text 7', { s: '7', ts: 'text', x: '7', tx: 'text' }],
    ['bytes', { x: [0, 1, 255], tx: 'blob' }],
    ['a Buffer', { x: [0, 1], tx: 'blob' }],
  ])('stores %s', (name, want) => expect(results[name]).toMatchObject(want))

  it.each([
    ['NaN', 'NaN'],
    ['Infinity', 'Infinity'],
    ['-Infinity', '-Infinity'],
    ['a huge bigint', 'the integer 1180591620717411303424'],
    ['a bigint beyond 2^53', 'the integer 9007199254740992'],
    ['undefined', 'undefined'],
    ['text with U+0000', 'text with U+0000'],
    ['a lone surrogate', 'ill-formed text'],
    ['the other lone surrogate', 'ill-formed text'],
    ['a symbol', 'a symbol'],
    ['a function', 'a function'],
    ['an object', 'an object'],
    ['an object without a prototype', 'an object'],
    ['an object that throws', 'an object'],
    ['an array', 'an array'],
    ['a nested array', 'an array'],
    ['a Date', 'a Date'],
    ['an invalid Date', 'a Date'],
    ['a RegExp', 'an object'],
    ['a Map', 'an object'],
    ['a Promise', 'an object'],
    ['a boxed number', 'an object'],
    ['a boxed text', 'an object'],
    ['an ArrayBuffer', 'an object'],
    ['a Float64Array', 'an object'],
    ['an Error', 'an object'],
  ])('refuses %s', (name, said) =>
    expect(results[name]).toMatch(
      new RegExp(`^BAD_VALUE: SQL parameter \\d is ${said.replace(/[+^-]/g, '\\$&')}`),
    ),
  )
})

describe('openSqlite', () => {
  it('sets the pragmas on every connection', async () => {
    const path = join(await folder(), 'a.db')
    const pragmas = (connection: SqliteConnection) =>
      ['journal_mode', 'synchronous', 'busy_timeout', 'foreign_keys', 'query_only'].map(
        (name) => Object.values(connection.run(`pragma ${name}`).rows[0] ?? {})[0],
      )
    expect(pragmas(opened({ path }))).toEqual(['wal', 2, 5000, 1, 0])
    expect(pragmas(opened({ path, readOnly: true, busyTimeoutMs: 50 }))).toEqual(['wal', 2, 50, 1, 1])
    expect(pragmas(opened({ path: ':memory:' }))).toEqual(['memory', 2, 5000, 1, 0])
  })

  it('reads on a read-only connection what was committed, and nothing else', async () => {
    const path = join(await folder(), 'a.db')
    const writer = opened({ path })
    writer.run('create table t (n integer)')
    const reader = opened({ path, readOnly: true })
    const count = () => reader.run('select count(*) as n from t').rows[0]?.n
    writer.run('insert into t values (?)', [1])
    expect(count()).toBe(1)
    writer.run('begin immediate')
    writer.run('insert into t values (?)', [2])
    expect(writer.inTransaction).toBe(true)
    expect(count()).toBe(1)
    writer.run('commit')
    expect(count()).toBe(2)
    expect(() => reader.run('insert into t values (?)', [3])).toThrow(/readonly/)
    const refused = { name: 'SqlError', code: 'UNAVAILABLE', message: 'the SQLite file is readonly' }
    expect(() => reader.run('insert into t values (?)', [3])).toThrow(expect.objectContaining(refused))
    expect(count()).toBe(2)
  })

  it('says how many rows changed, and returns the rows of a RETURNING', () => {
    const connection = opened({ path: ':memory:' })
    connection.run('create table t (n integer)')
    expect(connection.run('insert into t values (?), (?)', [1, 2])).toEqual({ rows: [], changes: 2 })
    expect(connection.run('update t set n = n + ? where n > ? returning n', [10, 1]).rows).toEqual([
      { n: 12 },
    ])
    expect(connection.run('delete from t where n = ?', [99]).changes).toBe(0)
  })

  it.each([
    ['too few parameters', 'select ? as a, ? as b', [1]],
    ['too many parameters', 'select ? as a', [1, 2]],
    ['a parameter for a ? in a string', "select '?' as a", [1]],
    ['a numbered parameter', 'select ?1 as a', [1]],
    ['a named parameter', 'select :a as a', [1]],
    ['a second statement', 'select 1 as a; delete from t', []],
    ['U+0000 in the statement', 'select 1 as "a\0b"', []],
  ])('refuses %s', (_, sql, parameters) => {
    const connection = opened({ path: ':memory:' })
    connection.run('create table t (n integer)')
    expect(() => connection.run(sql, parameters)).toThrow(expect.objectContaining({ code: 'BAD_STATEMENT' }))
  })

  it('goes on after a statement that failed, with the same statement', () => {
    const connection = opened({ path: ':memory:' })
    connection.run('create table t (s text unique)')
    const insert = 'insert into t values (?) returning s'
    connection.run(insert, ['a'])
    expect(() => connection.run(insert, ['a'])).toThrow(/UNIQUE/)
    expect(connection.run(insert, ['b']).rows).toEqual([{ s: 'b' }])
  })

  it('sees a table that changed under a kept statement', () => {
    const connection = opened({ path: ':memory:' })
    connection.run('create table t (a integer)')
    connection.run('insert into t values (?)', [1])
    expect(connection.run('select * from t').rows).toEqual([{ a: 1 }])
    connection.run('alter table t add column b text')
    expect(connection.run('select * from t').rows).toEqual([{ a: 1, b: null }])
  })

  it('keeps a bounded number of statements', () => {
    const connection = opened({ path: ':memory:', maxStatements: 2 })
    for (let i = 0; i < 50; i++) expect(connection.run(`select ${i} as n`).rows).toEqual([{ n: i }])
    expect(connection.run('select 0 as n').rows).toEqual([{ n: 0 }])
  })
})
