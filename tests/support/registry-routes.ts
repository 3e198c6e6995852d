/** What a field holds. `pairs` are `{ key, value }` lists of MLflow; a metric is one with more fields. */
export type Kind =
  | 'text'
  | 'number'
  | 'integer'
  | 'boolean'
  | 'texts'
  | 'pairs'
  | 'enumeration'
  | 'object'
  | 'template'

export interface Field {
  readonly kind: Kind
  readonly required?: true
  /** `null` has a meaning of its own. */
  readonly nullable?: true
  /** A value that is taken, given what is there; without one the field is left out. */
  readonly valid?: (known: Known) => unknown
}

interface Known {
  readonly name: string
  readonly model: string
  readonly alias: string
  readonly version: string
  readonly run: string
  readonly experiment: string
}

export interface Route {
  readonly method: string
  readonly path: string
  readonly fields: Readonly<Record<string, Field>>
}

export const fieldsOf = ({ fields }: Route): [string, Field][] => Object.entries(fields)

const name: Field = { kind: 'text', required: true, valid: (known) => known.name }
const version: Field = { kind: 'text', required: true, valid: (known) => known.version }
const alias: Field = { kind: 'text', required: true, valid: (known) => known.alias }
const key: Field = { kind: 'text', required: true, valid: () => 'k' }
const run_id: Field = { kind: 'text', required: true, valid: (known) => known.run }
const text: Field = { kind: 'text' }
const value: Field = { kind: 'text' }
const search: Route['fields'] = {
  filter: text,
  max_results: { kind: 'integer', valid: () => 5 },
  order_by: { kind: 'texts' },
  page_token: text,
}

const mlflow = (method: string, path: string, fields: Route['fields']): Route => ({
  method,
  path: `/api/2.0/mlflow/${path}`,
  fields,
})
const own = (method: string, path: string, fields: Route['fields']): Route => ({
  method,
  path: `/api/promptkeep/1.0/${path}`,
  fields,
})

/** Every route that reads JSON, and every field that it reads. */
export const ROUTES: readonly Route[] = [
  mlflow('POST', 'registered-models/create', {
    name: { ...name, valid: (known) => `${known.name}/not-to-be-made` },
    description: text,
    tags: { kind: 'pairs' },
  }),
  mlflow('GET', 'registered-models/get', { name }),
  mlflow('PATCH', 'registered-models/update', { name, description: text }),
  mlflow('POST', 'registered-models/rename', { name, new_name: name }),
  mlflow('DELETE', 'registered-models/delete', { name }),
  mlflow('GET', 'registered-models/search', search),
  mlflow('GET', 'registered-models/get-latest-versions', { name, stages: { kind: 'texts' } }),
  mlflow('POST', 'registered-models/get-latest-versions', { name, stages: { kind: 'texts' } }),
  mlflow('POST', 'registered-models/set-tag', { name, key, value }),
  mlflow('DELETE', 'registered-models/delete-tag', { name, key }),
  mlflow('GET', 'registered-models/alias', { name, alias }),
  mlflow('POST', 'registered-models/alias', { name, alias, version }),
  mlflow('DELETE', 'registered-models/alias', { name, alias }),
  mlflow('POST', 'model-versions/create', {
    name,
    source: { kind: 'text', required: true, valid: () => '/not/to/be/made' },
    run_id: text,
    run_link: text,
    description: text,
    tags: { kind: 'pairs' },
    model_id: text,
  }),
  mlflow('GET', 'model-versions/get', { name, version }),
  mlflow('PATCH', 'model-versions/update', { name, version, description: text }),
  mlflow('DELETE', 'model-versions/delete', { name, version }),
  mlflow('GET', 'model-versions/search', search),
  mlflow('GET', 'model-versions/get-download-uri', { name: { kind: 'text' }, version: { kind: 'text' } }),
  mlflow('POST', 'model-versions/transition-stage', {
    name,
    version,
    stage: { kind: 'text', required: true, valid: () => 'Staging' },
    archive_existing_versions: { kind: 'boolean' },
  }),
  mlflow('POST', 'model-versions/set-tag', { name, version, key, value }),
  mlflow('DELETE', 'model-versions/delete-tag', { name, version, key }),
  mlflow('POST', 'experiments/create', {
    name: { kind: 'text', required: true, valid: () => 'x'.repeat(501) },
    artifact_location: text,
    tags: { kind: 'pairs' },
  }),
  mlflow('GET', 'experiments/get', {
    experiment_id: { kind: 'text', required: true, valid: (known) => known.experiment },
  }),
  mlflow('GET', 'experiments/get-by-name', {
    experiment_name: { kind: 'text', required: true, valid: () => 'evals' },
  }),
  mlflow('GET', 'experiments/search', { ...search, view_type: { kind: 'enumeration' } }),
  mlflow('POST', 'experiments/search', { ...search, view_type: { kind: 'enumeration' } }),
  mlflow('POST', 'runs/create', {
    experiment_id: { kind: 'text', required: true, valid: (known) => known.experiment },
    user_id: text,
    run_name: text,
    start_time: { kind: 'integer' },
    tags: { kind: 'pairs' },
  }),
  mlflow('GET', 'runs/get', { run_id }),
  mlflow('POST', 'runs/update', {
    run_id,
    status: { kind: 'enumeration' },
    end_time: { kind: 'integer' },
    run_name: text,
  }),
  mlflow('POST', 'runs/log-metric', {
    run_id,
    key,
    value: { kind: 'number', required: true, valid: () => 1 },
    timestamp: { kind: 'integer', required: true, valid: () => 1 },
    step: { kind: 'integer' },
  }),
  mlflow('POST', 'runs/log-parameter', { run_id, key, value }),
  mlflow('POST', 'runs/set-tag', { run_id, key, value }),
  mlflow('POST', 'runs/log-batch', {
    run_id,
    metrics: { kind: 'pairs' },
    params: { kind: 'pairs' },
    tags: { kind: 'pairs' },
  }),
  mlflow('POST', 'runs/search', {
    ...search,
    experiment_ids: { kind: 'texts' },
    run_view_type: { kind: 'enumeration' },
  }),
  mlflow('GET', 'metrics/get-history', {
    run_id,
    metric_key: { kind: 'text', required: true, valid: () => 'm' },
    max_results: { kind: 'integer' },
    page_token: text,
  }),
  own('POST', 'seed', {
    name,
    alias,
    template: { kind: 'template', required: true, valid: () => 'Hi' },
    description: text,
    model_config: { kind: 'object' },
    response_format: { kind: 'object' },
    tags: { kind: 'object' },
    commit_message: text,
  }),
  own('POST', 'alias', {
    name,
    alias,
    version: { kind: 'integer', required: true, valid: () => 1 },
    expected: { kind: 'integer', nullable: true },
    reason: text,
    evidence: text,
    force: { kind: 'boolean' },
  }),
  own('POST', 'rollout', {
    name,
    alias,
    weights: { kind: 'object', required: true, valid: () => ({ '1': 100 }) },
    expected: { kind: 'integer', nullable: true },
    reason: text,
    evidence: text,
    force: { kind: 'boolean' },
  }),
  own('POST', 'rollback', {
    name,
    alias: { kind: 'text' },
    // The alias says that already: nothing would change.
    to_seq: { kind: 'integer', valid: () => 2 },
    reason: { kind: 'text', required: true, valid: () => 'it was better' },
    expected: { kind: 'integer', nullable: true },
    force: { kind: 'boolean' },
    request_id: text,
  }),
  own('POST', 'fleet', {
    app: { kind: 'text', required: true, valid: () => 'assistant' },
    instance: { kind: 'text', required: true, valid: () => 'one' },
    seq: { kind: 'integer' },
    gone: { kind: 'boolean' },
  }),
  own('POST', 'policies', {
    // Reserved: with a policy others could not move what they made.
    alias: { kind: 'text', required: true, valid: () => 'latest' },
    roles: { kind: 'texts', valid: () => ['promoter'] },
    reason_required: { kind: 'boolean' },
    evidence_required: { kind: 'boolean' },
    max_age_seconds: { kind: 'integer' },
  }),
  own('POST', 'policies/remove', {
    alias: { kind: 'text', required: true, valid: () => 'no-such-alias' },
  }),
  own('POST', 'tokens', {
    // Reserved: with a token nobody would be let in without one.
    name: { kind: 'text', required: true, valid: () => 'anonymous' },
    roles: { kind: 'texts', required: true, valid: () => ['reader'] },
    expires_in_seconds: { kind: 'integer' },
  }),
  own('POST', 'tokens/revoke', {
    token: { kind: 'text', required: true, valid: () => 'nobody' },
    force: { kind: 'boolean' },
  }),
]
