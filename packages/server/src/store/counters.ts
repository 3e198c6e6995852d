import { sql } from 'kysely'
import type { CounterTable, Tx } from './schema.ts'

/**
 * Gives out the next number of a kind. The row stays locked until the transaction ends, so numbers are given in the
 * order of the commits and a rolled-back transaction leaves no gap; a serial column promises neither.
 */
export async function nextNumber(tx: Tx, name: CounterTable['name']): Promise<number> {
  const { value } = await tx
    .updateTable('counters')
    .set({ value: sql`value + 1` })
    .where('name', '=', name)
    .returning('value')
    .executeTakeFirstOrThrow()
  return value
}
