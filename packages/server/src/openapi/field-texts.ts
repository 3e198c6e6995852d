import { LIMIT } from '@promptkeep/client/protocol'
import { MAX_DESCRIPTION } from '../routes/mlflow/rules.ts'

export interface FieldText {
  readonly text: string
  /** What the sample call sends. */
  readonly example?: unknown
}

const said = (text: string, example?: unknown): FieldText => ({
  text,
  ...(example === undefined ? {} : { example }),
})

/**
 * What a field means wherever it stands, unless its schema says so itself: one vocabulary for all routes. A row with a
 * group's or a schema's name before the dot (`Tokens.name`) holds there only.
 */
export const FIELD_TEXTS: Readonly<Record<string, FieldText>> = {
  name: said(`name of the prompt or model: at most ${LIMIT.name} characters, no "/" and no ":"`, 'greeting'),
  prompt: said('name of the prompt', 'greeting'),
  new_name: said('the name from now on; must be free', 'welcome'),
  alias: said(
    `alias of the prompt: letters, digits, "_" and "-", at most ${LIMIT.alias} characters; "latest" and "v<number>" are reserved`,
    'production',
  ),
  version: said('number of the version: 1 to 2147483647', 3),
  expected: said('compare-and-set: the version that the alias must say now, null: it must be unset', 2),
  weights: said(
    'share of each version in percent: above 0, at most two decimals, 100 in all; one version with 100 ends a rollout',
    { 2: 90, 3: 10 },
  ),
  reason: said(
    `why, for the change log: at most ${LIMIT.message} characters, and no token in it`,
    'answers were too long',
  ),
  evidence: said(
    'the eval run that judged the version: its id, or `runs:/<id>`; where a policy asks for one',
  ),
  force: said('against the policy: needs the role admin and a reason, and is marked in the log'),
  app: said('name of the app: at most 100 letters, digits and _ . : @ / -', 'assistant'),
  instance: said('which of its instances, in the same characters', 'web-1'),
  prompts: said('what it runs: name, alias, version and digest of each'),
  request_id: said('of this request: sent again with the same one, it answers what the first has done'),
  to_seq: said('row of the change log whose state comes back; absent: the state before the last change'),
  template: said(
    `the text, or chat messages of \`role\` and \`content\`: at most ${LIMIT.text} characters; variables in {{ double }} braces`,
    'Hello {{ name }}',
  ),
  description: said(
    `at most ${MAX_DESCRIPTION} characters, ${LIMIT.message} on our own routes, and no token in it`,
  ),
  commit_message: said(
    `what is new in this version: at most ${LIMIT.message} characters, and no token in it`,
  ),
  model_config: said(
    'settings for the model, in MLflow’s snake_case: `model_name`, `temperature`, `max_tokens`, …',
  ),
  response_format: said('JSON Schema of the answer that the prompt asks for'),
  tags: said('free texts by key'),
  key: said('name of the tag, param or metric: letters, digits, "_", "-", ".", " ", ":" and "/"', 'team'),
  value: said('its value; nothing sent is the empty text', 'support'),
  filter: said("MLflow’s filter language, e.g. `name LIKE 'greet%'`; absent: everything"),
  max_results: said('rows of a page'),
  order_by: said('columns, each with ASC or DESC'),
  page_token: said('`next_page_token` of the page before'),
  next_page_token: said('for the next page; absent on the last one'),
  limit: said('rows of a page, at most; one of long texts ends earlier, with `next_page_token`'),
  stages: said('None, Staging, Production, Archived; absent: all'),
  stage: said('None, Staging, Production or Archived', 'Staging'),
  archive_existing_versions: said('moves what is in that stage now to Archived'),
  source: said('where a plain model’s files are; any text for a prompt'),
  run_link: said('address of the run that made it'),
  model_id: said('of a logged model'),
  run_id: said('id of the run', '0123456789abcdef0123456789abcdef'),
  user_id: said('kept and shown, never checked: who may is decided by the token'),
  run_name: said('absent: a random one'),
  start_time: said('milliseconds since 1970'),
  end_time: said('milliseconds since 1970'),
  timestamp: said('milliseconds since 1970', 1_767_225_600_000),
  step: said('place of this value in a series'),
  status: said('state of the run; an unknown one is ignored'),
  metrics: said('at most 1,000 numbers'),
  metric_key: said('name of the metric', 'pass_rate'),
  params: said('at most 100 texts that never change'),
  experiment_id: said('decimal id; "0" is the experiment `Default`', '1'),
  experiment_ids: said('decimal ids; at most 10,000'),
  experiment_name: said('name of the experiment', 'evals'),
  artifact_location: said('where files of its runs are kept; absent: where the server says'),
  view_type: said('living ones, deleted ones, or both'),
  run_view_type: said('living ones, deleted ones, or both'),
  'Experiments.name': said('name of the experiment: at most 500 characters, unique', 'evals'),
  'Experiment.name': said('name of the experiment'),

  names: said('prompts, separated by commas', 'greeting,farewell'),
  at: said('milliseconds since 1970'),
  seq: said('number of the change in the log: commit order, without gaps'),
  kind: said('what happened, e.g. `alias.moved`'),
  from: said('version before; absent: the alias was unset'),
  to: said('version after; absent: the alias is unset now'),
  digest: said('SHA-256 of the version’s content, in hex'),
  actor: said('name of the token that did it; `anonymous` while the server has no tokens'),
  forced: said('moved against the policy'),
  restores: said('`seq` of the change whose state this one brought back'),
  since: said('first time that counts: ISO 8601, or milliseconds since 1970'),
  until: said('last time that counts: ISO 8601, or milliseconds since 1970'),
  after: said('of the stream: the `seq` that was seen last; everything after it is sent'),
  current: said('what the alias says now; null: it is unset'),
  outcome: said(
    '`seeded`: it was absent; `skipped`: it was there; `healed`: a broken first try was repaired',
  ),
  missing: said('what there is not, each with a code; the rest is answered all the same'),
  changes: said('newest first'),
  'ResolveAt.at': said('the time that was asked for, in milliseconds since 1970'),

  roles: said('reader, writer, evaluator, promoter, admin', ['promoter']),
  tokens: said('oldest first, revoked ones too'),
  'Server.tokens': said(
    'whether the server has any token; without one everybody may do everything, from this machine',
  ),
  token: said('in a request: its id or name; in an answer: the token itself, shown only there', 'ci'),
  'Tokens.force': said('also the last admin token that works'),
  'Tokens.name': said('unique for ever; stands in the change log as the actor', 'ci'),
  'Tokens.roles': said('what it may: reader, writer, evaluator, promoter, admin; several are allowed', [
    'promoter',
  ]),
  expires_in_seconds: said('absent: it never expires'),
  'Policies.alias': said('alias that the policy guards, of every prompt', 'production'),
  'Policies.roles': said('which of writer, promoter and admin may move it; absent: all of them', [
    'promoter',
  ]),
  reason_required: said('a move must say why'),
  evidence_required: said('a move must name a finished eval run that judged the version'),
  max_age_seconds: said('how old that run may be; absent: any age'),

  error_code: said('MLflow’s code, for programs'),
  message: said('which field, what was given, what is allowed: for people'),
  sqlstate: said('MLflow’s class of the error'),
  error_class: said('MLflow’s finer code'),
}
