import { type CaseFacts, factTags } from './case-facts.ts'
import { caseTags } from './logged-scores.ts'
import type { MetricPoint, RunStatus, Tracking } from './tracking-port.ts'

/** An eval run as tests want it: what is not said is as in an ordinary one. */
export interface WrittenRun {
  readonly experiment?: string
  readonly suite?: string
  /** Milliseconds since the epoch. */
  readonly startedAt?: number
  readonly endedAt?: number
  /** `undefined`: it goes on. */
  readonly status?: RunStatus | 'RUNNING'
  /** By metric, then by case: the value of each trial. */
  readonly scores?: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>
  readonly prompts?: Readonly<
    Record<string, { readonly version: number; readonly digest: string; readonly alias?: string }>
  >
  readonly gates?: readonly object[]
  readonly facts?: readonly CaseFacts[]
  /** `null`: the run does not have it. */
  readonly params?: Readonly<Record<string, string | null>>
  readonly tags?: Readonly<Record<string, string>>
  readonly metrics?: Readonly<Record<string, number>>
}

export const HOUR_MS = 3_600_000
const GATE = { metric: 'pass_rate', direction: 'higher', threshold: 0.5, margin: 0.1 }

/** As many cases as a margin of 0.1 takes, the first `failed` of which did not pass. */
export function passRates(
  failed: number,
  cases = 40,
): Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> {
  const byCase = Array.from({ length: cases }, (_, i) => [`case-${i + 1}`, [i < failed ? 0 : 1]] as const)
  return { pass_rate: Object.fromEntries(byCase) }
}

/** Logs a run as `runEval` does, without running anything; on a real server, too. @returns Its id. */
export async function writeRun(tracking: Pick<Tracking, 'startRun'>, run: WrittenRun = {}): Promise<string> {
  const { suite = 'tone', scores = passRates(0), startedAt = 1000, status = 'FINISHED' } = run
  const {
    gates = [GATE],
    facts = [],
    prompts = { memory: { version: 4, digest: 'd4', alias: 'production' } },
  } = run
  const endedAt = run.endedAt ?? startedAt + 500
  const ids = [...new Set(Object.values(scores).flatMap((byCase) => Object.keys(byCase)))]
  const [main] = gates as (typeof GATE)[]
  const written = await tracking.startRun({
    experiment: run.experiment ?? 'evals',
    name: suite,
    startedAt,
    tags: { suite },
  })
  const params = {
    ...{ suite, dataset: suite, dataset_digest: 'dataset-1', target: 'assistant.ts#chat', trials: '1' },
    ...{ estimand: 'such-cases', alias_chain: 'production', fingerprint: 'f', model: 'model-1' },
    ...(main && { 'gate.metric': main.metric, gates: JSON.stringify(gates) }),
    ...Object.fromEntries(
      Object.entries(prompts).flatMap(([name, { version, digest, alias }]) => [
        [`prompt.${name}`, `v${version}`],
        [`prompt_digest.${name}`, digest],
        ...(alias === undefined ? [] : [[`prompt_alias.${name}`, alias]]),
      ]),
    ),
    ...run.params,
  }
  await written.logParams(
    Object.fromEntries(
      Object.entries(params).filter((entry): entry is [string, string] => entry[1] !== null),
    ),
  )
  await written.setTags({ ...caseTags(ids), ...factTags(facts), ...run.tags })
  const points: MetricPoint[] = []
  const means: Record<string, number> = {}
  for (const [metric, byCase] of Object.entries(scores)) {
    const all = Object.values(byCase).map((values) => values.reduce((a, b) => a + b, 0) / values.length)
    means[metric] = all.reduce((a, b) => a + b, 0) / all.length
    for (const [id, values] of Object.entries(byCase))
      for (const [trial, value] of values.entries())
        points.push({ key: `trial.${metric}`, value, step: ids.indexOf(id), timestamp: endedAt + trial })
  }
  await written.logMetrics({ ...means, errors: 0, not_run: 0, ...run.metrics }, endedAt)
  await written.logPoints(points)
  if (status !== 'RUNNING') await written.finish(status, endedAt)
  return written.id
}
