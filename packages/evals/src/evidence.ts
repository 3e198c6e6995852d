import { type EvalRun, findRuns } from './eval-run.ts'
import type { JudgedSuite } from './judge-suite.ts'
import type { LoggedRun, Tracking } from './tracking-port.ts'

/** One version of one prompt, by its text: numbers start again when a prompt is made anew. */
export interface JudgedVersion {
  readonly name: string
  readonly version: number
  readonly digest: string
}

/** A run that may be evidence, with what the server has of it. */
export type EvidenceRun = EvalRun & { readonly logged: LoggedRun }

/** What there is to say about one version by one suite. */
export type Evidence =
  | { readonly run: EvidenceRun }
  /** The suite was run, and its cases use other prompts. */
  | { readonly notConcerned: string }
  /** Why there is none: in words for people. */
  | { readonly missing: string }

/** Milliseconds since the epoch. */
export interface Freshness {
  /** A run that ended before this is stale. */
  readonly freshSince: number
  readonly now: number
}

/** What a run must have been made with. */
export interface Conditions {
  /** Of the suite's file: with other scorers or rules it is another suite. A run that does not say it is believed. */
  readonly manifestDigest?: string | undefined
  readonly model?: string | undefined
  readonly judgeModel?: string | undefined
}

export interface EvidenceQuery extends Freshness {
  /** MLflow experiment of the runs. */
  readonly experiment: string
  readonly suite: Pick<JudgedSuite, 'suite' | 'dataset'>
  readonly of: JudgedVersion
  /** How the suite is run now; what is not said is not asked for. */
  readonly as?: Conditions | undefined
  /** The number must be the same, too: what a move takes. Default: the text alone. */
  readonly byNumber?: boolean
}

/**
 * The newest complete, valid, fresh run of a suite on its dataset as it is now that judged this very version.
 * @throws {EvalFailure} when the tracking server cannot be asked
 */
export async function findEvidence(
  tracking: Pick<Tracking, 'findRuns'>,
  { experiment, suite, of, freshSince, now, as, byNumber = false }: EvidenceQuery,
): Promise<Evidence> {
  const { name, version, digest } = of
  let newest: string | undefined
  const runs = findRuns(tracking, {
    experiment,
    suite: suite.suite.name,
    prompt: { name, digest },
    order: 'ended',
  })
  for await (const run of runs) {
    const problem =
      byNumber && run.prompts[name]?.version !== version
        ? `it judged this text as v${run.prompts[name]?.version}`
        : (whyNotUsable(run, { datasetDigest: suite.dataset.digest, freshSince, now }) ?? whyUnlike(run, as))
    if (problem === undefined) return { run }
    newest ??= `run ${run.id}: ${problem}`
    // They come by their end: what is left is older, and those without an end are under way.
    if (run.endedAt !== undefined && run.endedAt < freshSince) break
  }
  if (newest !== undefined) return { missing: newest }
  const other = await otherPrompts(tracking, { experiment, suite, of, freshSince, now })
  if (other) return { notConcerned: `run ${other.id} used ${Object.keys(other.prompts).sort().join(', ')}` }
  return { missing: `no run of this suite judged ${name} v${version}` }
}

/**
 * Why a run is no evidence about what it judged, or `undefined`.
 * @param rules - What is not said is not asked for: a dataset, an age.
 */
export function whyNotUsable(
  run: EvalRun,
  rules: Partial<Freshness> & { readonly datasetDigest?: string } = {},
): string | undefined {
  const { datasetDigest, freshSince = 0, now = Number.POSITIVE_INFINITY } = rules
  if (run.invalid !== undefined) return `it is marked invalid: ${run.invalid.slice(0, 300)}`
  if (run.status !== 'FINISHED') return `it is ${run.status}`
  if (run.shard !== undefined) return `it is shard ${run.shard}, and no whole run`
  if (datasetDigest !== undefined && run.datasetDigest !== datasetDigest)
    return `it used another dataset (dataset_digest ${run.datasetDigest?.slice(0, 12) ?? 'not said'}; the manifest's is ${datasetDigest.slice(0, 12)} now)`
  const { errors = 0, not_run: left = 0 } = run.metrics
  if (errors > 0) return `${errors} of its cases ended in an error`
  if (left > 0) return `${left} of its cases were not run`
  if (!run.isComplete) return 'it is not complete'
  // An end is what its client says: one that is to come would stay fresh for ever.
  if ((run.endedAt ?? 0) > now + MAX_SKEW_MS)
    return `it says that it ended at ${isoTime(run.endedAt ?? 0)}, which is still to come`
  if ((run.endedAt ?? 0) < freshSince) return `it is stale: it ended at ${isoTime(run.endedAt ?? 0)}`
  return undefined
}

/** Why a run was made with something else than it would be now. */
function whyUnlike(run: EvalRun, { manifestDigest, model, judgeModel }: Conditions = {}): string | undefined {
  if (
    manifestDigest !== undefined &&
    run.manifestDigest !== undefined &&
    run.manifestDigest !== manifestDigest
  )
    return 'the file of its suite was another one (manifest_digest): with other scorers or rules it is another suite'
  if (model !== undefined && run.model !== model)
    return `model ${run.model ?? 'not said'} answered, and not ${model}`
  if (judgeModel !== undefined && run.judgeModel !== judgeModel)
    return `model ${run.judgeModel ?? 'not said'} judged it, and not ${judgeModel}`
  return undefined
}

/** A fresh run of the suite that used prompts, and not this one: a suite that the prompt is no part of. */
async function otherPrompts(
  tracking: Pick<Tracking, 'findRuns'>,
  { experiment, suite, of, freshSince, now }: EvidenceQuery,
): Promise<EvidenceRun | undefined> {
  const runs = findRuns(tracking, {
    experiment,
    suite: suite.suite.name,
    datasetDigest: suite.dataset.digest,
    status: 'FINISHED',
    order: 'ended',
  })
  for await (const run of runs) {
    if (run.endedAt === undefined || run.endedAt < freshSince) return undefined
    const { errors = 0, not_run: left = 0 } = run.metrics
    // One that no candidate reached is marked as no evidence, and says just this. Any other mark may hide a use.
    const isMarked = run.invalid !== undefined && !NOT_CONCERNED.test(run.invalid)
    if (isMarked || errors > 0 || left > 0 || run.shard !== undefined || run.endedAt > now + MAX_SKEW_MS)
      continue
    const names = Object.keys(run.prompts)
    // Only the newest whole run says what the suite uses now.
    return names.length > 0 && !names.includes(of.name) ? run : undefined
  }
  return undefined
}

/** How the mark of a run begins that used no candidate (verdict.ts). */
const NOT_CONCERNED = /^no case used a prompt that has alias /

/** Clocks differ a little; the server allows as much. */
const MAX_SKEW_MS = 60_000

const isoTime = (ms: number): string => new Date(ms).toISOString()
