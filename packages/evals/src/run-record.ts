import type { GitState } from './git.ts'
import type { RunLineage } from './lineage.ts'
import type { LoadedSuite } from './load-suite.ts'
import { fitting, isKey, PARAM_LIMIT, TAG_LIMIT } from './logged-text.ts'
import { rulesParams } from './run-rules.ts'
import { needsJudge } from './scorers/define-scorer.ts'

/** Tags of a run from its first moment: MLflow's own keys, so that its UI shows them. */
export function runTags(
  { options, suite }: LoadedSuite,
  env: Readonly<Record<string, string | undefined>>,
  git: GitState | undefined,
): Record<string, string> {
  const user = env.USER ?? env.USERNAME
  return tagsOf({
    suite: suite.name,
    'mlflow.source.name': options.suite,
    'mlflow.source.type': 'LOCAL',
    ...(user ? { 'mlflow.user': user } : {}),
    ...(git && {
      'mlflow.source.git.commit': git.commit,
      'mlflow.source.git.dirty': String(git.dirty),
    }),
  })
}

/** What is known of a run before its first case. */
export interface RunSetup {
  readonly git?: GitState | undefined
  /** Of the runner's randomness. */
  readonly seed?: number | undefined
}

/** A model that no scorer asks is no judge of the run. */
export const judgeModelOf = ({ suite, options }: LoadedSuite): string | undefined =>
  needsJudge(suite) ? options.judgeModel : undefined

/** Params that are known before the first case. */
export function baseParams(loaded: LoadedSuite, setup: RunSetup = {}): Record<string, string> {
  const { suite, dataset, promptAlias } = loaded
  const { git, seed } = setup
  const judgeModel = judgeModelOf(loaded)
  return paramsOf({
    suite: suite.name,
    dataset: dataset.name,
    dataset_digest: dataset.digest,
    ...(loaded.manifestDigest === undefined ? {} : { manifest_digest: loaded.manifestDigest }),
    target: withoutCredentials(suite.target),
    trials: String(suite.trials),
    estimand: suite.estimand,
    alias_chain: promptAlias.join(','),
    ...rulesParams(loaded),
    ...(judgeModel === undefined ? {} : { judge_model: judgeModel }),
    ...(seed === undefined ? {} : { seed: String(seed) }),
    ...(git && { git_commit: git.commit, git_dirty: String(git.dirty) }),
  })
}

/** Params that only a finished run knows: which prompts it used, and which model answered. */
export function lineageParams(
  { prompts, fingerprint, judgePrompts }: Pick<RunLineage, 'prompts' | 'fingerprint' | 'judgePrompts'>,
  model?: string,
): Record<string, string> {
  return paramsOf({
    fingerprint,
    ...(model === undefined ? {} : { model }),
    ...Object.fromEntries(
      Object.entries(prompts).flatMap(([name, { version, digest, alias }]) => [
        [`prompt.${name}`, `v${version}`],
        [`prompt_digest.${name}`, digest],
        ...(alias === undefined ? [] : [[`prompt_alias.${name}`, alias]]),
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(judgePrompts).flatMap(([name, { version, digest, alias }]) => [
        [`judge_prompt.${name}`, `v${version}`],
        [`judge_digest.${name}`, digest],
        ...(alias === undefined ? [] : [[`judge_alias.${name}`, alias]]),
      ]),
    ),
  })
}

/**
 * MLflow's tag that links a run to prompts in its UI. A fallback is no version that it could link. Where there are more
 * than the tag holds, the first: which prompts a run used is in its params.
 */
export function linkedPrompts({ prompts }: Pick<RunLineage, 'prompts'>): string {
  const links = Object.entries(prompts)
    .filter(([, { version }]) => version > 0)
    .map(([name, { version }]) => JSON.stringify({ name, version: String(version) }))
  while (links.join(',').length + 2 > TAG_LIMIT) links.pop()
  return `[${links.join(',')}]`
}

/** The tag that marks a run as no evidence. */
export const invalidTag = (reason: string): Record<string, string> => tagsOf({ 'promptkeep.invalid': reason })

/** Every value as long as MLflow takes it. */
const tagsOf = (tags: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, fitting(value, TAG_LIMIT)]))

/** Without keys that MLflow refuses: the name of a prompt that no param can have makes its run invalid. */
const paramsOf = (params: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(params)
      .filter(([key]) => isKey(key))
      .map(([key, value]) => [key, fitting(value, PARAM_LIMIT)]),
  )

function withoutCredentials(target: string): string {
  if (!/^https?:/.test(target) || !URL.canParse(target)) return target
  const url = new URL(target)
  if (url.username === '' && url.password === '') return target
  url.username = ''
  url.password = ''
  return url.href
}
