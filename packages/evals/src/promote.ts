import { hasCode, type Registry } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { whyNotEarned } from './earned.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { type JudgeDeps, judgeCandidate } from './judge-candidate.ts'
import type { JudgedRun } from './judge-suite.ts'
import type { LoadedSuite } from './load-suite.ts'
import { concludeSuites, type Promotion } from './promotion.ts'
import {
  judged,
  type Place,
  readAlias,
  refuseOddities,
  requireNeverSet,
  requireUnchanged,
  versionOf,
} from './promotion-place.ts'
import { cut, reasonOf, STOCK_LIMITS, whyNotMoved } from './promotion-texts.ts'

export interface PromoteOptions {
  /** The prompt. */
  readonly name: string
  /** Alias that names the candidate. Default `experiment`. */
  readonly from?: string | undefined
  /** Alias that the candidate is to have, and whose version it is compared with. Default `production`. */
  readonly to?: string | undefined
  /** All must pass; those whose cases do not use the prompt do not count. Their alias chain is not read. */
  readonly suites: readonly LoadedSuite[]
  /** Oldest run that counts, in milliseconds. Default: what the policy of `to` says, else a day. 0: all is run anew. */
  readonly maxAgeMs?: number | undefined
  /** Runs what evidence is missing. Default true. */
  readonly run?: boolean | undefined
  /** Decides by the runs that are there; runs, moves and writes nothing. */
  readonly dryRun?: boolean | undefined
  /** Default true. False: it is judged and the verdicts are written, and the alias stays where it is. */
  readonly move?: boolean | undefined
  /** Moves it without evidence; needs a reason, and an admin where the policy of `to` asks for evidence. */
  readonly force?: boolean | undefined
  /** Kept with the change, before the summary of the evidence. */
  readonly reason?: string | undefined
}

export interface PromoteDeps extends JudgeDeps {
  /** Who moves the alias: strict and without a cache. */
  readonly registry: Pick<Registry, 'load' | 'setAlias'>
  readonly admin: Pick<Admin, 'address' | 'capabilities' | 'changes' | 'policies'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Without a policy that says another age. */
export const DEFAULT_MAX_AGE_MS = 24 * 3_600_000

/**
 * Promotes a candidate when every suite says that it is no worse: by its text, on the same cases as what `to` says now, and
 * with the evidence kept in the change. It moves by compare-and-set, last of all.
 * @returns What it came to, also when somebody could not be asked (`undecided`, exit code 2).
 */
export async function promote(options: PromoteOptions, deps: PromoteDeps): Promise<Promotion> {
  const { name, from = 'experiment', to = 'production', dryRun = false, force = false } = options
  const base = { prompt: name, from, to, suites: [], problems: [], notes: [], forced: false, dryRun }
  const known: { -readonly [K in keyof Promotion]?: Promotion[K] } = {}
  try {
    if (from === to) throw new EvalFailure('CONFIGURATION', `--from and --to are both ${to}`)
    if (force && !options.reason?.trim())
      throw new EvalFailure('CONFIGURATION', 'a forced promotion needs a reason: the history keeps why')
    known.notes = await notesAbout(deps)
    const candidate = await readAlias(deps.registry, name, from)
    if (!candidate)
      throw new EvalFailure('CONFIGURATION', `${name} has no alias ${from}: there is no candidate`)
    const baseline = await readAlias(deps.registry, name, to)
    known.candidate = versionOf(candidate)
    if (baseline) known.baseline = versionOf(baseline)
    else
      known.notes = [
        ...known.notes,
        `${to} of ${name} is unset: there is nothing to compare with, so thresholds alone decide`,
      ]
    const place: Place = { name, from, to, candidate, baseline }
    known.notes = [...known.notes, ...(await notesAboutBaseline(deps, place))]
    const outcome = await outcomeOf(place)
    return { ...base, ...known, ...outcome }
  } catch (error) {
    if (!isExpected(error)) throw error
    return {
      ...base,
      ...known,
      outcome: 'undecided',
      exitCode: 2,
      problems: [...(known.problems ?? []), messageOf(error)],
    }
  }

  type Outcome = Pick<Promotion, 'outcome' | 'exitCode'> & Partial<Promotion>

  async function outcomeOf(place: Place): Promise<Outcome> {
    if (place.baseline?.version === place.candidate.version) return alreadyThere(place)
    if (force) return moveByForce(place)
    refuseOddities(place)
    if (place.baseline === undefined) await requireNeverSet(deps.admin, name, to)
    return moveByEvidence(place)
  }

  async function moveByEvidence(place: Place): Promise<Outcome> {
    if (options.suites.length === 0)
      throw new EvalFailure(
        'CONFIGURATION',
        'there is no suite to judge by: give suites core: true, or name some',
      )
    const suites: JudgedRun[] = []
    const { candidate, baseline } = place
    const freshSince = deps.now() - (options.maxAgeMs ?? (await maxAgeOf(deps, to)))
    for (const suite of options.suites) {
      const run = !dryRun && options.run !== false
      suites.push(
        await judgeCandidate(
          {
            suite,
            candidate: judged(candidate),
            baseline: baseline && judged(baseline),
            from,
            to,
            freshSince,
            run,
          },
          deps,
        ),
      )
      known.suites = suites.map(({ evidence: _, ...said }) => said)
    }
    const sum = concludeSuites(suites)
    if (sum !== 'undecided') await requireUnchanged(deps.registry, place)
    if (!dryRun) await writeVerdicts(suites, sum, known, deps)
    if (sum !== 'pass') {
      const outcome = sum === 'fail' ? 'refused' : sum
      const isNobody = suites.every((one) => one.outcome === 'not-concerned')
      const problems = isNobody ? [`no suite uses ${name}: nobody judged it`] : []
      return { outcome, exitCode: sum === 'fail' ? 1 : 2, problems }
    }
    const passed = suites.filter((one) => one.outcome === 'pass')
    const evidence = `runs:/${passed[0]?.run}`
    const reason = reasonOf(options.reason, passed, baseline?.version)
    if (dryRun || options.move === false) return { outcome: 'would-promote', exitCode: 0, evidence, reason }
    return { ...(await move(place, { reason, evidence })), reason, evidence }
  }

  async function moveByForce(place: Place): Promise<Outcome> {
    const reason = cut(`forced, without evidence: ${options.reason?.trim()}`)
    const isOurs = (await deps.admin.capabilities()).server === 'promptkeep'
    if (dryRun) return { outcome: 'would-promote', exitCode: 0, reason, forced: true }
    // Stock MLflow has no policies: there is nothing that could be forced, and the reason is all that tells.
    const moved = await move(place, { reason, ...(isOurs && { force: true }) })
    return { ...moved, reason, forced: true }
  }

  /** The last step. Whoever moved the alias since it was read wins. */
  async function move(
    { candidate, baseline }: Place,
    said: { readonly reason: string; readonly evidence?: string; readonly force?: boolean },
  ): Promise<Outcome> {
    try {
      const expected = baseline?.version ?? null
      const change = await deps.registry.setAlias(name, to, candidate.version, { ...said, expected })
      if (change.digest === undefined || change.digest === candidate.digest)
        return { outcome: 'promoted', exitCode: 0, change }
      // It was deleted and made anew after the last look; numbers start again then.
      const problem = `${to} of ${name} is at v${candidate.version} now, and that was made anew meanwhile with another text, which nobody judged: promptkeep rollback ${name} --alias ${to}`
      return { outcome: 'undecided', exitCode: 2, change, problems: [problem] }
    } catch (error) {
      if (!isExpected(error)) throw error
      const current =
        hasCode(error, 'CONFLICT') && 'current' in error ? (error.current as number | null) : undefined
      return {
        outcome: 'undecided',
        exitCode: 2,
        ...(current === undefined ? {} : { current }),
        problems: [whyNotMoved(error, { name, to, baseline, current })],
      }
    }
  }

  async function alreadyThere({ candidate }: Place): Promise<Outcome> {
    const { version } = candidate
    const [last] = (await deps.admin.changes({ prompt: name, alias: to, kinds: ['alias.moved'], limit: 1 }))
      .items
    const why = await whyNotEarned(last, judged(candidate), deps.evals.tracking)
    if (why === undefined && last?.evidence !== undefined)
      return { outcome: 'already-there', exitCode: 0, evidence: last.evidence, change: last }
    const problem = `${from} and ${to} of ${name} are both v${version}, and it is not known to have earned that (${why}): there is nothing to compare it with`
    return { outcome: 'undecided', exitCode: 2, problems: [problem] }
  }
}

/** What this package or the client throws on purpose; anything else is a mistake of the program. */
const isExpected = (error: unknown): error is Error & { readonly code: string } =>
  error instanceof EvalFailure || (error instanceof Error && error.name !== 'TypeError' && 'code' in error)

/**
 * After all that a run logs: params that come later void it. A run that passed beside one that did not is no evidence for a
 * move, so none is marked as passed before all are.
 */
async function writeVerdicts(
  suites: readonly JudgedRun[],
  sum: ReturnType<typeof concludeSuites>,
  known: { notes?: Promotion['notes'] },
  { evals }: PromoteDeps,
): Promise<void> {
  for (const { outcome, evidence } of suites) {
    if (!evidence) continue
    const own = outcome === 'undecided' || outcome === 'not-concerned' ? 'inconclusive' : outcome
    const verdict = own === 'pass' && sum !== 'pass' ? 'inconclusive' : own
    try {
      await evals.tracking.openRun(evidence).setTags({ 'promptkeep.verdict': verdict })
    } catch (error) {
      if (!(error instanceof EvalFailure)) throw error
      const message = `the verdict of run ${evidence.id} could not be written: ${messageOf(error)}`
      if (sum === 'pass')
        throw new EvalFailure(
          error.code,
          `${message} (an evaluator writes it: PROMPTKEEP_EVALUATOR_TOKEN); nothing was moved`,
        )
      known.notes = [...(known.notes ?? []), message]
    }
  }
}

async function maxAgeOf({ admin }: PromoteDeps, alias: string): Promise<number> {
  try {
    const policy = (await admin.policies.list()).find((one) => one.alias === alias)
    return policy?.maxAgeSeconds === undefined ? DEFAULT_MAX_AGE_MS : policy.maxAgeSeconds * 1000
  } catch (error) {
    // Stock MLflow has none, and not everybody may read them.
    if (hasCode(error, 'INVALID_INPUT', 'FORBIDDEN')) return DEFAULT_MAX_AGE_MS
    throw error
  }
}

/** Where less is kept and checked than on our server, a reader must know. */
async function notesAbout({ admin }: PromoteDeps): Promise<string[]> {
  const { server, version } = await admin.capabilities()
  return server === 'promptkeep' ? [] : [`this registry is stock MLflow ${version}: ${STOCK_LIMITS}`]
}

/** Whoever is no worse than what was forced may still be bad. */
async function notesAboutBaseline({ admin }: PromoteDeps, { name, to, baseline }: Place): Promise<string[]> {
  if (!baseline) return []
  const [last] = (await admin.changes({ prompt: name, alias: to, kinds: ['alias.moved'], limit: 1 })).items
  return last?.forced && last.to === baseline.version
    ? [`v${baseline.version} got ${to} by force: being no worse than it may say little`]
    : []
}
