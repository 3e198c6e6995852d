import type { ChangeKind } from '@promptkeep/client/protocol'
import type { SqlDialect } from '@promptkeep/sql'
import type { Kysely, Transaction } from 'kysely'

/** The tables as `migrations/` makes them. Times are milliseconds since the epoch; flags are 0 and 1. */
export interface Tables {
  counters: CounterTable
  models: ModelTable
  model_tags: ModelTagTable
  versions: VersionTable
  version_tags: VersionTagTable
  aliases: AliasTable
  changes: ChangeTable
  archived_versions: ArchivedVersionTable
  tokens: TokenTable
  policies: PolicyTable
  fleet: FleetTable
  verdicts: VerdictTable
  experiments: ExperimentTable
  experiment_tags: ExperimentTagTable
  runs: RunTable
  run_tags: RunTagTable
  params: ParamTable
  metrics: MetricTable
  latest_metrics: LatestMetricTable
}

/** A query outside a transaction, or inside one. */
export type Db = Kysely<Tables>
export type Tx = Transaction<Tables>
export type { SqlDialect }

/** The last number given out of each kind; see `counters.ts`. */
export interface CounterTable {
  name: 'change' | 'model' | 'experiment'
  value: number
}

/** Prompts and plain models. */
interface ModelTable {
  /** Never used again, also after a delete: the log points at it. */
  id: number
  name: string
  description: string
  created_at: number
  updated_at: number
  /** The highest version number that was ever given out. */
  last_version: number
}

interface ModelTagTable {
  model_id: number
  key: string
  value: string
  /** Order in which the keys were first set, which is MLflow's order of answers. */
  position: number
}

export interface VersionTable {
  model_id: number
  version: number
  /** Null after an update without one; '' when none was ever sent. */
  description: string | null
  source: string
  run_id: string
  run_link: string
  stage: string
  created_at: number
  updated_at: number
  /** Null for a plain model's version. */
  digest: string | null
  /** Unique within the prompt; null when the client sent none. */
  request_id: string | null
  /** Deleted versions keep their number and content, and are never answered. */
  deleted_at: number | null
}

interface VersionTagTable {
  model_id: number
  version: number
  key: string
  value: string
  position: number
}

interface AliasTable {
  model_id: number
  alias: string
  version: number
}

/** The append-only log. `prompt` and `new_name` are the names of that moment; `model_id` outlives them. */
export interface ChangeTable {
  seq: number
  kind: ChangeKind
  model_id: number
  prompt: string
  alias: string | null
  from_version: number | null
  to_version: number | null
  new_name: string | null
  digest: string | null
  actor: string
  reason: string | null
  evidence: string | null
  at: number
  /** Unique within the prompt; null when the request came without one. */
  request_id: string | null
  /** 1 when it was made against the alias's policy. */
  forced: number
  /** Of a rollback: the row whose state it brought back. */
  restores: number | null
}

/** What the versions of deleted prompts were: the log tells what an alias said, and this which text that was. */
interface ArchivedVersionTable {
  model_id: number
  version: number
  /** JSON of a `ModelVersion`. */
  record: string
}

export interface TokenTable {
  id: string
  name: string
  /** Joined by commas. */
  roles: string
  /** SHA-256 of the secret, lower-case hex. */
  hash: string
  created_at: number
  created_by: string
  expires_at: number | null
  revoked_at: number | null
  last_used_at: number | null
}

export interface PolicyTable {
  alias: string
  /** Joined by commas. */
  roles: string
  reason_required: number
  evidence_required: number
  max_age_ms: number | null
  updated_at: number
  updated_by: string
}

/** The newest report of each instance. */
interface FleetTable {
  app: string
  instance: string
  actor: string
  seq: number | null
  reported_at: number
  /** JSON of a list. */
  prompts: string
}

/** Who last wrote the tag `promptkeep.verdict` of a run. */
interface VerdictTable {
  run_id: string
  verdict: string
  actor: string
  /** Null from the time before there were tokens. */
  token_id: string | null
  is_evaluators: number
  at: number
}

export interface ExperimentTable {
  id: number
  name: string
  artifact_location: string
  stage: 'active' | 'deleted'
  created_at: number
  updated_at: number
}

interface ExperimentTagTable {
  experiment_id: number
  key: string
  value: string
  position: number
}

export interface RunTable {
  /** 32 hex digits. */
  id: string
  experiment_id: number
  name: string
  user_id: string
  status: 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED'
  start_time: number
  end_time: number | null
  artifact_uri: string
  stage: 'active' | 'deleted'
  deleted_at: number | null
}

interface RunTagTable {
  run_id: string
  key: string
  value: string
  position: number
}

interface ParamTable {
  run_id: string
  key: string
  value: string
  position: number
}

/** Every point that was ever logged. */
export interface MetricTable {
  run_id: string
  key: string
  /** 0 where `is_nan` is 1: SQLite cannot store NaN. */
  value: number
  is_nan: number
  timestamp: number
  step: number
}

/** One row a key: its highest (step, timestamp, value). */
export interface LatestMetricTable extends MetricTable {
  position: number
}
