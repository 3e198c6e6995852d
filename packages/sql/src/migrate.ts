import { createHash } from 'node:crypto'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { SqlDialect } from './dialect.ts'
import { SqlError } from './errors.ts'

/** One numbered step. Numbers start at 1 and leave no gap; a step that was released is never edited. */
export interface Migration {
  readonly number: number
  readonly name: string
  /** The step as SQL, one statement an entry; the same text every time, for its checksum is kept. */
  up(dialect: SqlDialect): readonly string[]
}

/** As the table `migrations` says it. */
interface AppliedMigration {
  readonly number: number
  readonly name: string
  readonly checksum: string
  /** Milliseconds since the epoch. */
  readonly applied_at: number
}

interface Tables {
  migrations: AppliedMigration
}

/**
 * Brings a database to the newest of `migrations`, each in one transaction together with its row in the table
 * `migrations`. Two processes that start at once take turns: the second finds nothing left to do.
 *
 * @returns Numbers of the steps that this call applied.
 * @throws {SqlError} `NEWER_DATABASE` when the database has a step that is not known here; `CHANGED_MIGRATION` when
 * an applied step is not the one known here, which also tells another program's database.
 */
export async function migrate(
  database: Kysely<unknown>,
  dialect: SqlDialect,
  migrations: readonly Migration[],
  now: () => number,
): Promise<number[]> {
  const steps = numbered(migrations, dialect)
  const db = database as Kysely<Tables>
  const done: number[] = []
  for (;;) {
    const number = await db.transaction().execute((tx) => applyNext(tx, dialect, steps, now))
    if (number === undefined) return done
    done.push(number)
  }
}

interface Step {
  readonly number: number
  readonly name: string
  readonly statements: readonly string[]
  readonly checksum: string
}

function numbered(migrations: readonly Migration[], dialect: SqlDialect): Step[] {
  return migrations.map(({ number, name, up }, index) => {
    if (number !== index + 1) throw new Error(`Migration ${name} has number ${number}, expected ${index + 1}`)
    const statements = up(dialect)
    const checksum = createHash('sha256').update(JSON.stringify(statements)).digest('hex')
    return { number, name, statements, checksum }
  })
}

async function applyNext(
  tx: Transaction<Tables>,
  dialect: SqlDialect,
  steps: readonly Step[],
  now: () => number,
): Promise<number | undefined> {
  if (dialect.lockForMigration) await dialect.lockForMigration.execute(tx)
  await createTable(tx, dialect)
  const applied = await tx.selectFrom('migrations').selectAll().orderBy('number').execute()
  check(applied, steps)
  const step = steps[applied.length]
  if (!step) return undefined
  for (const statement of step.statements) await sql.raw(statement).execute(tx)
  const { number, name, checksum } = step
  await tx.insertInto('migrations').values({ number, name, checksum, applied_at: now() }).execute()
  return number
}

/**
 * Whether a database was made by these steps, or the first of them. @throws {SqlError} as {@link migrate}
 */
export const checkApplied = (
  applied: readonly Pick<AppliedMigration, 'number' | 'name' | 'checksum'>[],
  migrations: readonly Migration[],
  dialect: SqlDialect,
): void => check(applied, numbered(migrations, dialect))

function check(
  applied: readonly Pick<AppliedMigration, 'number' | 'name' | 'checksum'>[],
  steps: readonly Step[],
) {
  for (const [index, row] of applied.entries()) {
    const step = steps[index]
    if (!step)
      throw new SqlError(
        'NEWER_DATABASE',
        `The database is at migration ${applied.length} and this program knows ${steps.length}: ` +
          'it was made by a newer version. Start that version, or use another database',
      )
    if (row.number !== step.number || row.checksum !== step.checksum)
      throw new SqlError(
        'CHANGED_MIGRATION',
        `Migration ${row.number} (${row.name}) of the database is not the ${step.number} (${step.name}) of this ` +
          'program: the database belongs to another program, or the migration was edited after it was applied',
      )
  }
}

function createTable(tx: Transaction<Tables>, { types, tableOptions }: SqlDialect) {
  return sql
    .raw(
      `create table if not exists migrations (
        number ${types.integer} primary key,
        name ${types.text} not null,
        checksum ${types.text} not null,
        applied_at ${types.integer} not null
      ) ${tableOptions}`,
    )
    .execute(tx)
}
