/** Sections of the document, in their order. `path` is what the paths of a section begin with. */
export const GROUPS = [
  {
    name: 'Registry',
    description:
      'What MLflow’s protocol has no call for: seeding, moves with compare-and-set, rollouts, rollback, resolving many prompts at once.',
  },
  {
    name: 'History',
    description:
      'The append-only change log: who changed what production says, when and why; as pages, and live.',
  },
  { name: 'Tokens', description: 'Who may: tokens and their roles.' },
  { name: 'Policies', description: 'What a move of an alias needs.' },
  { name: 'Fleet', description: 'What runs where, as the apps report it: how far a move has reached.' },
  {
    name: 'Prompts',
    description: 'MLflow’s registered models: a prompt is one with the tag `mlflow.prompt.is_prompt`.',
  },
  { name: 'Versions', description: 'MLflow’s model versions: immutable texts with a number.' },
  { name: 'Experiments', description: 'MLflow’s experiments: folders of eval runs.' },
  { name: 'Runs', description: 'MLflow’s runs: what an eval measured.' },
  { name: 'Server', description: 'Health, versions, metrics, and this description.' },
] as const

type Group = (typeof GROUPS)[number]['name']

const PATHS: readonly (readonly [RegExp, Group])[] = [
  [/^\/api\/promptkeep\/1\.0\/tokens/, 'Tokens'],
  [/^\/api\/promptkeep\/1\.0\/policies/, 'Policies'],
  [/^\/api\/promptkeep\/1\.0\/fleet/, 'Fleet'],
  [/^\/api\/promptkeep\/1\.0\/(changes|rollback)/, 'History'],
  [/^\/api\/promptkeep\/1\.0\/(openapi\.json|docs|capabilities|whoami)/, 'Server'],
  [/^\/api\/promptkeep\//, 'Registry'],
  [/\/registered-models\//, 'Prompts'],
  [/\/model-versions\//, 'Versions'],
  [/\/experiments\//, 'Experiments'],
  [/\/(runs|metrics)\//, 'Runs'],
]

export const groupOf = (path: string): Group => PATHS.find(([pattern]) => pattern.test(path))?.[1] ?? 'Server'
