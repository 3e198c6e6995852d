import { rm } from 'node:fs/promises'
import type { Lineage } from '@promptkeep/client'
import type { AliasWatch } from './alias-watch.ts'
import { manifestDigest } from './code-digest.ts'
import { EvalFailure } from './errors.ts'
import {
  findJournal,
  type Journal,
  type JournalHeader,
  type JournalWriter,
  keyOf,
  startJournal,
  whyAnother,
} from './journal.ts'
import { traceLineage } from './lineage.ts'
import type { LoadedSuite } from './load-suite.ts'
import type { EvalDeps } from './run-eval.ts'
import { invalidTag, judgeModelOf } from './run-record.ts'
import type { CaseResult } from './runner.ts'
import { casesOf, type Shard, shardName } from './shard.ts'
import type { TrackedRun } from './tracking-port.ts'

/** What a run is judged by, also one that is gone on with. */
export interface RunRules {
  readonly loaded: LoadedSuite
  readonly holders: ReadonlyMap<string, number>
  readonly watch: AliasWatch
  /** Milliseconds since the epoch. */
  readonly startedAt: number
}

/** What two parts of one run must agree in. */
export async function askedFor(
  loaded: LoadedSuite,
  { trackingUri }: Pick<EvalDeps, 'trackingUri'>,
  holders: ReadonlyMap<string, number>,
): Promise<JournalHeader['asked']> {
  const { suite, dataset, options, promptAlias } = loaded
  const versions = [...holders].map(([name, version]) => `${name} v${version}`)
  return {
    'the suite': await manifestDigest(suite.path),
    'the dataset': dataset.digest,
    'the target': suite.target,
    'the model': options.model ?? '',
    'the judge model': judgeModelOf(loaded) ?? '',
    'the alias chain': promptAlias.join(','),
    'the number of trials': String(suite.trials),
    'the pass threshold': String(options.passThreshold ?? ''),
    [`what has alias ${promptAlias[0]}`]: versions.sort().join(', '),
    'the registry': trackingUri,
  }
}

/** The journal of a suite's last run, or of a shard's. */
export const lastRun = async (
  { suite, dataset }: LoadedSuite,
  { journals }: Pick<EvalDeps, 'journals'>,
  shard: Shard | undefined,
): Promise<Journal | undefined> =>
  journals === undefined
    ? undefined
    : findJournal(journals, { suite: suite.name, ...(shard && { shard: shardName(shard) }) }, dataset.cases)

/** Every trial of a run that ended, in the runner's order. */
export const casesOfReport = (
  { suite, dataset }: LoadedSuite,
  shard: Shard | undefined,
  { results }: Journal,
): CaseResult[] =>
  (shard ? casesOf(shard, dataset.cases) : dataset.cases).flatMap(({ id }) =>
    Array.from({ length: suite.trials }, (_, trial) => results.get(keyOf(id, trial)) ?? []).flat(),
  )

/**
 * @throws {EvalFailure} `CONFIGURATION`: the run that broke off was asked for something else, or would be no evidence any
 *   more however it went on
 */
export async function checkResumable(
  before: Journal,
  asked: JournalHeader['asked'],
  { loaded, holders, watch, startedAt }: RunRules,
  { registry }: Pick<EvalDeps, 'registry'>,
): Promise<void> {
  const refuse = (reasons: readonly string[]) => {
    if (reasons.length === 0) return
    const what = `the last run of ${loaded.suite.name} cannot be gone on with`
    throw new EvalFailure('CONFIGURATION', `${what}: ${reasons.join('; ')}. Run it anew, without --resume`)
  }
  refuse(whyAnother(before.header.asked, asked))
  const { promptAlias } = loaded
  const { problems } = await traceLineage([...before.results.values()], {
    ...{ promptAlias, holders, startedAt, registry, watch },
    judgePrompts: before.judgePrompts,
    complete: false,
  })
  refuse(problems)
}

export const openJournal = async (
  { journals }: Pick<EvalDeps, 'journals'>,
  header: Omit<JournalHeader, 'format'>,
): Promise<JournalWriter | undefined> =>
  journals === undefined
    ? undefined
    : startJournal(journals, { format: 'promptkeep-eval-journal-1', ...header })

/** Takes over what the run that broke off knew, and leaves that run marked as what it is. */
export async function goOn(
  before: Journal,
  journal: JournalWriter | undefined,
  run: Pick<TrackedRun, 'id'>,
  { tracking, now }: Pick<EvalDeps, 'tracking' | 'now'>,
): Promise<void> {
  for (const result of before.results.values()) await journal?.append(result, before.judgePrompts)
  const old = tracking.openRun(before.header.run)
  try {
    await old.setTags(invalidTag(`broke off; gone on with as run ${run.id}`))
    await old.finish('KILLED', now())
  } catch (error) {
    // Somebody deleted it.
    if (!(error instanceof EvalFailure) || error.code !== 'CONFIGURATION') throw error
  }
  await rm(before.path, { force: true })
}

/**
 * The prompts of a judge that was asked in several parts of one run.
 * @throws {EvalFailure} `CONFIGURATION`: they were not the same
 */
export function joined(
  ...parts: readonly (Readonly<Record<string, Lineage>> | undefined)[]
): Readonly<Record<string, Lineage>> {
  const all: Record<string, Lineage> = {}
  for (const [name, lineage] of parts.flatMap((part) => Object.entries(part ?? {}))) {
    const known = all[name]
    if (known && known.digest !== lineage.digest)
      throw new EvalFailure(
        'CONFIGURATION',
        `the judge's prompt ${name} was v${known.version} in one part of the run and v${lineage.version} in another`,
      )
    all[name] = lineage
  }
  return all
}
