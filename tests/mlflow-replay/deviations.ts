/**
 * Where our server answers otherwise than the recorded MLflow, and why. The replay fails on a deviation that is not
 * here, and on one that is here and no longer deviates. `docs/mlflow-compatibility.md` holds both as a table.
 */
export const DEVIATIONS: Readonly<Record<string, string>> = {
  ...because(
    'MLflow answers 5xx for bad input, which its client repeats for four minutes; ours says what is wrong',
    '07 filter: tags.grp IS NULL',
    "07 order_by ['name ASC', 'name DESC']",
    '12 get: version huge',
    '13 rm filter: name IS NULL',
    "13 page_token='W10='",
    '14 body: JSON list',
    '14 workspace header when workspaces are off',
  ),
  ...because(
    'The content of a version never changes: register a new version instead',
    '06 overwrite template text via the version tag (allowed by the server)',
    '06 load changed',
  ),
  ...because(
    'A prompt cannot turn into a model, nor a model into a prompt',
    '11 delete-tag of the is_prompt tag (turns it into a model)',
  ),
  ...because(
    'The tag is still where it was first set, because it could not be deleted',
    '12 registered model carries aliases and latest_versions',
    '12 registered model after',
  ),
  ...because(
    'A page of a negative size has no meaning; MLflow hands out a token that leads before the first row',
    '13 max_results=-1',
  ),
  ...because(
    'This server keeps no artifacts and is no gateway, and says so',
    '14 server-info',
    '14 server-info ajax',
  ),
  ...because(
    'Not served (workspaces, web page, GraphQL, webhooks): answered like any unknown path',
    '14 workspaces list when off',
    '14 root path (UI index)',
    '14 graphql GET',
    '14 webhooks list',
  ),
  ...because(
    'Ours has counters and times for Prometheus here; MLflow only when it is started with --expose-prometheus',
    '14 metrics (prometheus not enabled)',
  ),
}

function because(reason: string, ...cases: readonly string[]): Record<string, string> {
  return Object.fromEntries(cases.map((at) => [at, reason]))
}
