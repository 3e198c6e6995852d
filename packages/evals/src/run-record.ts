import type { GitState } from './git.ts'
import type { RunLineage } from './lineage.ts'
import type { LoadedSuite } from './load-suite.ts'

/** Tags of a run from its first moment: MLflow's own keys, so that its UI shows them. */
export function runTags(
  { options, suite }: LoadedSuite,
  env: Readonly<Record<string, string | undefined>>,
  git: GitState | undefined,
): Record<string, string> {
  const user = env.USER ?? env.USERNAME
  return {
    suite: suite.name,
    'mlflow.source.name': options.suite,
    'mlflow.source.type': 'LOCAL',
    ...(user ? { 'mlflow.user': user } : {}),
    ...(git && {
      'mlflow.source.git.commit': git.commit,
      'mlflow.source.git.dirty': String(git.dirty),
    }),
  }
}

/** Params that are known before the first case. */
export function baseParams(loaded: LoadedSuite): Record<string, string> {
  const { suite, dataset, gates, promptAlias } = loaded
  const [gate] = gates
  const { judgeModel } = loaded.options
  return {
    suite: suite.name,
    dataset: dataset.name,
    dataset_digest: dataset.digest,
    alias_chain: promptAlias.join(','),
    'gate.metric': gate.metric,
    'gate.direction': gate.direction,
    'gate.threshold': String(gate.threshold),
    ...(judgeModel === undefined ? {} : { judge_model: judgeModel }),
  }
}

/** Params that only a finished run knows: which prompts it used. */
export function lineageParams({ prompts, fingerprint }: RunLineage): Record<string, string> {
  return Object.fromEntries([
    ['fingerprint', fingerprint],
    ...Object.entries(prompts).flatMap(([name, { version, digest, alias }]) => [
      [`prompt.${name}`, `v${version}`],
      [`prompt_digest.${name}`, digest],
      ...(alias === undefined ? [] : [[`prompt_alias.${name}`, alias]]),
    ]),
  ])
}

/** MLflow's tag that links a run to prompts in its UI. A fallback is no version that it could link. */
export const linkedPrompts = ({ prompts }: RunLineage): string =>
  JSON.stringify(
    Object.entries(prompts)
      .filter(([, { version }]) => version > 0)
      .map(([name, { version }]) => ({ name, version: String(version) })),
  )
