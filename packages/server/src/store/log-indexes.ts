import { sql } from 'kysely'

/*
 * The conditions of the log's partial indexes, for `changes` under the name that the query gives it. A query uses such
 * an index only when it says its condition word for word.
 */

const kind = (table: string) => sql.ref(`${table}.kind`)

/** `alias_states` (model_id, alias, seq): what says where an alias is. */
export const isAliasState = (table = 'c') => sql`${kind(table)} in ('alias.moved', 'alias.removed')`

/** `version_states` (model_id, to_version, seq): what says what a version is. */
export const isVersionState = (table = 'c') =>
  sql`${kind(table)} in ('version.registered', 'config.edited', 'message.edited', 'rollout.changed')`

/** `deleted_versions` (model_id, from_version, seq). */
export const isVersionDeleted = (table = 'c') => sql`${kind(table)} = 'version.deleted'`
