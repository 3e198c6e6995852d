import { prepared } from '@promptkeep/sql'
import { sql } from 'kysely'
import type { CounterTable, Tx } from './schema.ts'

/**
 * Gives out the next number of a kind. The row stays locked until the transaction ends, so numbers are given in the
 * order of the commits and a rolled-back transaction leaves no gap; a serial column promises neither.
 */
export async function nextNumber(tx: Tx, name: CounterTable['name']): Promise<number> {
  const [row] = await countUp(tx, { name })
  if (!row) throw new Error(`there is no counter ${name}`)
  return row.value
}

const countUp = prepared<{ name: CounterTable['name'] }, { value: number }>(
  (of) => sql`update counters set value = value + 1 where name = ${of('name')} returning value`,
)
