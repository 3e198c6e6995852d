import { openSqlite } from './sqlite.ts'

/*
 * Pushes values of every JavaScript type through the guard, each into a TEXT, an INTEGER, a REAL and an untyped
 * column, and prints what became of them. A process of its own, because the binding ends it on some of them.
 */

const values: Record<string, () => unknown> = {
  'the number 7': () => 7,
  'the number -7': () => -7,
  'the number 0': () => 0,
  'the number 1.5': () => 1.5,
  'the largest safe integer': () => Number.MAX_SAFE_INTEGER,
  'a time': () => 1_700_000_000_000,
  'the number 1e300': () => 1e300,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  'the bigint 7': () => 7n,
  'a huge bigint': () => 2n ** 70n,
  'a bigint beyond 2^53': () => 2n ** 53n,
  true: () => true,
  false: () => false,
  null: () => null,
  undefined: () => undefined,
  text: () => 'ünïcode ☕ 😀 "quoted" \u2028',
  'an empty text': () => '',
  'the text 7': () => '7',
  'text with U+0000': () => 'a\0b',
  'a lone surrogate': () => 'a\ud83d',
  'the other lone surrogate': () => '\ude00a',
  bytes: () => new Uint8Array([0, 1, 255]),
  'a Buffer': () => Buffer.from([0, 1]),
  'a symbol': () => Symbol('x'),
  'a function': () => () => 7,
  'an object': () => ({ a: 1 }),
  'an object without a prototype': () => Object.create(null),
  'an object that throws': () =>
    new Proxy(
      {},
      {
        get: () => {
          throw new Error('looked at')
        },
      },
    ),
  'an array': () => [1],
  'a nested array': () => [[1]],
  'a Date': () => new Date(0),
  'an invalid Date': () => new Date(Number.NaN),
  'a RegExp': () => /x/,
  'a Map': () => new Map(),
  'a Promise': () => Promise.resolve(1),
  'a boxed number': () => Object(7),
  'a boxed text': () => Object('7'),
  'an ArrayBuffer': () => new ArrayBuffer(2),
  'a Float64Array': () => new Float64Array([1]),
  'an Error': () => new Error('x'),
}

const connection = openSqlite({ path: ':memory:' })
connection.run('create table t (name text, s text, n integer, r real, x)')
const results = Object.entries(values).map(([name, make]) => {
  try {
    const value = make()
    connection.run('insert into t (name, s, x) values (?, ?, ?)', [name, value, value])
    // Real numbers and bytes do not fit every column: what is asked here is only that nothing breaks.
    for (const column of ['n', 'r'])
      connection.run(`update t set ${column} = ? where name = ?`, [value, name])
    const [row] = connection.run(
      'select s, n, r, x, typeof(s) as ts, typeof(n) as tn, typeof(r) as tr, typeof(x) as tx from t where name = ?',
      [name],
    ).rows
    return [name, { ...row, x: row?.x instanceof Uint8Array ? [...row.x] : row?.x }]
  } catch (error) {
    return [name, error instanceof Error && 'code' in error ? `${error.code}: ${error.message}` : `${error}`]
  }
})
connection.close()
process.stdout.write(JSON.stringify(Object.fromEntries(results)))
