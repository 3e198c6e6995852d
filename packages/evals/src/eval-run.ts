import { EvalFailure } from './errors.ts'
import { isByCase } from './logged-scores.ts'
import type { Estimand } from './paired.ts'
import { type RunRules, readRules } from './run-rules.ts'
import type { LoggedRun, RunQuery, Tracking } from './tracking-port.ts'

export { whyNotComparable } from './comparable.ts'
export { readScores } from './logged-scores.ts'

/** A prompt as a run says that it used it. */
export interface EvalRunPrompt {
  readonly version?: number
  readonly digest?: string
  /** By which alias; absent when it was loaded by number, or nobody said. */
  readonly alias?: string
}

/**
 * An eval run, read back from MLflow. An older version of Promptkeep or a Python program may have logged it: what a run
 * does not say is absent here, and named in `missing`.
 */
export interface EvalRun {
  readonly id: string
  readonly experimentId: string
  readonly suite?: string
  /** `RUNNING`, `SCHEDULED`, `FINISHED`, `FAILED` or `KILLED`. */
  readonly status: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly endedAt?: number
  /** The dataset's name. */
  readonly dataset?: string
  readonly datasetDigest?: string
  /** Of the suite's file as it was. */
  readonly manifestDigest?: string
  readonly prompts: Readonly<Record<string, EvalRunPrompt>>
  readonly fingerprint?: string
  readonly aliasChain: readonly string[]
  readonly target?: string
  readonly model?: string
  readonly judgeModel?: string
  /** The prompts of the suite's judge; empty when none was asked. */
  readonly judgePrompts: Readonly<Record<string, EvalRunPrompt>>
  readonly trials?: number
  readonly estimand?: Estimand
  readonly seed?: number
  /** The metric of its main gate. */
  readonly mainMetric?: string
  /** What decided about it: gates with their margins, and scorers that tolerate no miss. */
  readonly rules?: RunRules
  readonly gitCommit?: string
  readonly isGitDirty?: boolean
  /** About the whole run: none of single cases. */
  readonly metrics: Readonly<Record<string, number>>
  /** `i/n` of a part that a shard ran. */
  readonly shard?: string
  /** Why it is no evidence, when it is marked so. */
  readonly invalid?: string
  /** `pass`, `fail` or `inconclusive`. On our server it counts only from an evaluator. */
  readonly verdict?: string
  /** Finished, all of it, without an error, and not marked as invalid. */
  readonly isComplete: boolean
  /** Params and metrics that an eval run should have, and this one has not. */
  readonly missing: readonly string[]
}

export function readEvalRun(run: LoggedRun): EvalRun {
  const { params, tags, metrics } = run
  const isWhole = tags['promptkeep.shard'] === undefined && !(metrics.not_run ?? 0)
  const missing = ['suite', 'dataset_digest', 'target', 'estimand', 'trials', 'fingerprint'].filter(
    (key) => params[key] === undefined,
  )
  if (metrics.errors === undefined) missing.push('errors')
  const prompts = promptsOf(params, 'prompt')
  if (Object.keys(prompts).length === 0) missing.push('prompt.<name>')
  for (const [name, { version, digest }] of Object.entries(prompts)) {
    if (version === undefined) missing.push(`prompt.${name}`)
    if (digest === undefined) missing.push(`prompt_digest.${name}`)
  }
  const { estimand } = params
  const dirty = params.git_dirty ?? tags['mlflow.source.git.dirty']
  return {
    id: run.id,
    experimentId: run.experimentId,
    status: run.status,
    startedAt: run.startedAt,
    ...said('endedAt', run.endedAt),
    ...said('suite', params.suite),
    ...said('dataset', params.dataset),
    ...said('datasetDigest', params.dataset_digest),
    ...said('manifestDigest', params.manifest_digest),
    prompts,
    ...said('fingerprint', params.fingerprint),
    aliasChain: params.alias_chain ? params.alias_chain.split(',') : [],
    ...said('target', params.target),
    ...said('model', params.model),
    ...said('judgeModel', params.judge_model),
    judgePrompts: promptsOf(params, 'judge'),
    ...said('trials', wholeNumber(params.trials)),
    ...(estimand === 'these-cases' || estimand === 'such-cases' ? { estimand } : {}),
    ...said('seed', wholeNumber(params.seed)),
    ...said('mainMetric', params['gate.metric']),
    ...said('rules', readRules(params)),
    ...said('gitCommit', params.git_commit ?? tags['mlflow.source.git.commit']),
    ...said('isGitDirty', dirty === undefined ? undefined : dirty.toLowerCase() === 'true'),
    metrics: Object.fromEntries(Object.entries(metrics).filter(([key]) => !isByCase(key))),
    ...said('shard', tags['promptkeep.shard']),
    ...said('invalid', tags['promptkeep.invalid']),
    ...said('verdict', tags['promptkeep.verdict']),
    isComplete:
      run.status === 'FINISHED' &&
      run.endedAt !== undefined &&
      isWhole &&
      !(metrics.errors ?? 0) &&
      tags['promptkeep.invalid'] === undefined,
    missing,
  }
}

export interface EvalRunQuery extends Pick<RunQuery, 'experiment' | 'order'> {
  readonly suite?: string | undefined
  readonly datasetDigest?: string | undefined
  readonly status?: string | undefined
  /** Only runs that say they used this text of this prompt. */
  readonly prompt?: { readonly name: string; readonly digest: string } | undefined
}

/** Eval runs of an experiment, newest first; more are asked for as they are read. Runs without a suite are none. */
export async function* findRuns(
  tracking: Pick<Tracking, 'findRuns'>,
  { experiment, order, suite, datasetDigest, status, prompt }: EvalRunQuery,
): AsyncGenerator<EvalRun & { readonly logged: LoggedRun }> {
  const filter = [
    ...equals('params.suite', suite),
    ...equals('params.dataset_digest', datasetDigest),
    ...equals('attributes.status', status),
    ...equals(`params.\`prompt_digest.${prompt?.name}\``, prompt?.digest),
  ].join(' and ')
  let pageToken: string | undefined
  do {
    const page = await tracking.findRuns({
      experiment,
      ...(order === undefined ? {} : { order }),
      ...(filter === '' ? {} : { filter }),
      pageToken,
    })
    for (const logged of page.runs)
      if (logged.params.suite !== undefined) yield { ...readEvalRun(logged), logged }
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
}

/**
 * The run that a candidate is compared with: of the runs of this suite on this dataset that judged this text of the prompt
 * (what the alias says now), the complete one that ended last.
 */
export async function findBaseline(
  tracking: Pick<Tracking, 'findRuns'>,
  wanted: {
    readonly experiment: string
    readonly suite: string
    readonly datasetDigest: string
    readonly prompt: string
    readonly digest: string
  },
): Promise<(EvalRun & { readonly logged: LoggedRun }) | undefined> {
  const { experiment, suite, datasetDigest, prompt: name, digest } = wanted
  const runs = findRuns(tracking, {
    experiment,
    suite,
    datasetDigest,
    status: 'FINISHED',
    prompt: { name, digest },
    order: 'ended',
  })
  for await (const run of runs) if (run.isComplete) return run
  return undefined
}

/** What a param or a tag says, or nothing at all. */
const said = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: V }

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

/** What stands under `<kind>.<name>`, `<kind>_digest.<name>`, `<kind>_alias.<name>` (a judge's: `judge_prompt.<name>`). */
function promptsOf(params: LoggedRun['params'], kind: 'prompt' | 'judge'): Record<string, EvalRunPrompt> {
  const prompts: Record<string, EvalRunPrompt> = {}
  const starts = [
    [kind === 'prompt' ? 'prompt.' : 'judge_prompt.', 'version'],
    [`${kind}_digest.`, 'digest'],
    [`${kind}_alias.`, 'alias'],
  ] as const
  for (const [key, value] of Object.entries(params)) {
    const [start, field] = starts.find(([start]) => key.startsWith(start)) ?? []
    if (start === undefined || field === undefined) continue
    const name = key.slice(start.length)
    const version = field === 'version' ? wholeNumber(/^v(\d+)$/.exec(value)?.[1]) : undefined
    prompts[name] = { ...prompts[name], ...(field === 'version' ? said(field, version) : { [field]: value }) }
  }
  return prompts
}

/** A clause of MLflow's filter; its language has no way to write a quote. */
function equals(field: string, value: string | undefined): string[] {
  if (value === undefined) return []
  if (!/['`\\]/.test(value) && !/['\\]/.test(field)) return [`${field} = '${value}'`]
  throw new EvalFailure(
    'CONFIGURATION',
    `runs cannot be looked for by ${JSON.stringify(value)}: it holds a quote`,
  )
}
