import { sql } from 'kysely'
import type { SqlDialect, Tx } from './schema.ts'
import { toVersion, type VersionRow, versionColumns } from './version-rows.ts'

/** Versions may hold long texts: so many are in memory at a time. */
const AT_A_TIME = 100

/** Keeps what a prompt's versions say, the deleted ones too, for the transaction that is about to delete the prompt. */
export async function archiveVersions(tx: Tx, dialect: SqlDialect, modelId: number): Promise<void> {
  for (let after = 0; ; ) {
    const { rows } = await sql<VersionRow>`
      select ${versionColumns(dialect)} from models m join versions v on v.model_id = m.id
      where m.id = ${modelId} and v.version > ${after} order by v.version limit ${AT_A_TIME}`.execute(tx)
    const versions = rows.map(toVersion)
    const last = versions.at(-1)
    if (!last) return
    await tx
      .insertInto('archived_versions')
      .values(
        versions.map((version) => ({
          model_id: modelId,
          version: version.version,
          record: JSON.stringify(version),
        })),
      )
      .execute()
    after = last.version
  }
}
