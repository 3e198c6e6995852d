import type { Change } from '@promptkeep/client/protocol'
import type { Selectable } from 'kysely'
import type { ChangeTable } from './schema.ts'

/** A row of the log as everybody else knows it. */
export function toChange(row: Selectable<ChangeTable>): Change {
  return {
    seq: row.seq,
    kind: row.kind,
    prompt: row.prompt,
    ...(row.alias !== null && { alias: row.alias }),
    ...(row.from_version !== null && { from: row.from_version }),
    ...(row.to_version !== null && { to: row.to_version }),
    ...(row.new_name !== null && { newName: row.new_name }),
    ...(row.digest !== null && { digest: row.digest }),
    actor: row.actor,
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.evidence !== null && { evidence: row.evidence }),
    ...(row.forced === 1 && { forced: true }),
    ...(row.restores !== null && { restores: row.restores }),
    at: row.at,
  }
}
