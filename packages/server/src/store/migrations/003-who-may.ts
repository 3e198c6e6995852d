import type { Migration } from '@promptkeep/sql'

/** Tokens, policies of aliases, who gave a verdict, what a deleted prompt said, and the log's new columns. */
export const whoMay: Migration = {
  number: 3,
  name: 'who may move what',
  up({ types: { text, integer }, tableOptions }) {
    const table = (name: string, columns: string) => `create table ${name} (${columns}) ${tableOptions}`
    return [
      `alter table changes add column forced ${integer} not null default 0`,
      `alter table changes add column restores ${integer}`,
      `create index changes_by_time on changes (at, seq)`,
      `create index changes_by_actor on changes (actor, seq)`,
      `create index changes_by_kind on changes (kind, seq)`,
      `create index changes_by_alias on changes (alias, seq) where alias is not null`,
      // What was true at a `seq` is told by the newest row that is not above it; `log-indexes.ts` has the conditions.
      `drop index changes_by_new_name`,
      `create index changes_by_new_name on changes (new_name, seq) where new_name is not null`,
      `create index alias_states on changes (model_id, alias, seq)
       where kind in ('alias.moved', 'alias.removed')`,
      `create index version_states on changes (model_id, to_version, seq)
       where kind in ('version.registered', 'config.edited', 'message.edited', 'rollout.changed')`,
      `create index deleted_versions on changes (model_id, from_version, seq) where kind = 'version.deleted'`,

      table(
        'tokens',
        `id ${text} primary key,
         name ${text} not null unique,
         roles ${text} not null,
         hash ${text} not null,
         created_at ${integer} not null,
         created_by ${text} not null,
         expires_at ${integer},
         revoked_at ${integer},
         last_used_at ${integer}`,
      ),
      table(
        'policies',
        `alias ${text} primary key,
         roles ${text} not null,
         reason_required ${integer} not null,
         evidence_required ${integer} not null,
         max_age_ms ${integer},
         updated_at ${integer} not null,
         updated_by ${text} not null`,
      ),
      table(
        'verdicts',
        `run_id ${text} primary key references runs (id) on delete cascade,
         verdict ${text} not null,
         actor ${text} not null,
         token_id ${text},
         is_evaluators ${integer} not null,
         at ${integer} not null`,
      ),
      // No reference to models: it holds what those said that are gone.
      table(
        'archived_versions',
        `model_id ${integer} not null,
         version ${integer} not null,
         record ${text} not null,
         primary key (model_id, version)`,
      ),
      // Prompts and versions are listed by their last change, prompts found by a tag (its start, as below).
      `create index models_by_update on models (updated_at)`,
      `create index live_versions_by_update on versions (updated_at) where deleted_at is null`,
      `create index model_tags_by_value on model_tags (key, substr(value, 1, 64))`,
      // Evidence is found by what was judged: the baseline is a run of the version that the alias says now.
      // Only the start of the value: Postgres cannot index what is much longer.
      `create index params_by_digest on params (key, substr(value, 1, 64))`,
    ]
  },
}
