import type { Prompt } from '@promptkeep/client'
import { answered, type EvalRegistry, eachPrompt } from './aliases.ts'
import { checkCandidate, checkInPlace } from './check-versions.ts'
import { EvalFailure } from './errors.ts'
import type { JudgedSuite } from './judge-suite.ts'
import { listLoggedSuites, readLoggedSuite } from './logged-suite.ts'
import { DEFAULT_MAX_AGE_MS } from './promote.ts'
import type { SuiteJudgement } from './promotion.ts'
import type { Tracking } from './tracking-port.ts'

/** A suite of files, with the path of its manifest; or one that is known by its runs. */
export type CheckedSuite = JudgedSuite & { readonly options?: { readonly suite: string } }

export interface CheckOptions {
  /** MLflow experiment, by name. */
  readonly experiment: string
  /** Suites of files, or names of suites that were run. Default: all that were run of late. */
  readonly suites?: readonly (CheckedSuite | string)[] | undefined
  /**
   * What is checked. Default: `experiment`, if any prompt has another text there than under `to`; else `to` itself, by
   * thresholds alone.
   */
  readonly alias?: string | undefined
  /** What it is compared with. Default `production`. */
  readonly to?: string | undefined
  /** Default: all that have the alias. */
  readonly prompts?: readonly string[] | undefined
  /** Oldest run that counts, in milliseconds. Default a day. */
  readonly maxAgeMs?: number | undefined
}

export interface CheckDeps {
  /** Strict and without a cache: what it says is so now. */
  readonly registry: Pick<EvalRegistry, 'list' | 'load'>
  readonly tracking: Pick<Tracking, 'findRuns' | 'metricHistory'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export type CheckOutcome = 'pass' | 'fail' | 'inconclusive' | 'undecided'

/** What all suites say of one candidate; or, without a prompt, of all that the alias says. */
export interface Checked {
  readonly prompt?: string
  readonly candidate?: { readonly version: number; readonly digest: string }
  readonly baseline?: { readonly version: number; readonly digest: string }
  readonly outcome: CheckOutcome
  readonly suites: readonly SuiteJudgement[]
}

export interface Check {
  readonly alias: string
  readonly to: string
  readonly outcome: CheckOutcome
  /** 0: all that the alias says is judged, and no worse. 1: some of it is not good enough. 2: cannot tell. */
  readonly exitCode: 0 | 1 | 2
  readonly checked: readonly Checked[]
  /** Why it cannot be told, beside what suites say. */
  readonly problems: readonly string[]
  readonly notes: readonly string[]
  /** What to do about what is missing: commands. */
  readonly advice: readonly string[]
}

/** What an alias says now. */
export type Said = Pick<Prompt, 'name' | 'version' | 'digest'>

/** What the parts of one check share. */
export interface CheckContext {
  readonly experiment: string
  readonly suites: readonly CheckedSuite[]
  readonly alias: string
  readonly to: string
  readonly freshSince: number
  readonly now: number
  readonly tracking: CheckDeps['tracking']
  /** What an alias of a prompt says now; `undefined`: it is unset. */
  readonly said: (name: string, alias: string) => Promise<Said | undefined>
  readonly notes: Set<string>
  readonly advice: Set<string>
}

/**
 * Is what an alias says now judged, and no worse than production? It runs nothing and moves nothing; it reads the runs that
 * are there, as a promotion does.
 * @throws {EvalFailure} `CONFIGURATION`: there is nothing to check. `INFRASTRUCTURE`: somebody cannot be asked.
 */
export async function check(options: CheckOptions, deps: CheckDeps): Promise<Check> {
  const { experiment, to = 'production', maxAgeMs = DEFAULT_MAX_AGE_MS, prompts = [] } = options
  const { tracking, registry } = deps
  const { suites, problems } = await readSuites(options, tracking)
  const aliases = new Map<string, Readonly<Record<string, number>>>()
  for await (const prompt of eachPrompt(registry)) aliases.set(prompt.name, prompt.aliases)
  const known = new Map<string, Promise<Said>>()
  const said = async (name: string, alias: string): Promise<Said | undefined> => {
    if (aliases.get(name)?.[alias] === undefined) return undefined
    const key = `${name}@${alias}`
    const asked = known.get(key) ?? answered(registry.load(name, { alias }))
    known.set(key, asked)
    return asked
  }
  const wanted = prompts.length > 0 ? [...new Set(prompts)] : [...aliases.keys()].sort()
  const holders = (alias: string) => wanted.filter((name) => aliases.get(name)?.[alias] !== undefined)
  const alias = options.alias ?? ((await hasNews(holders('experiment'), to, said)) ? 'experiment' : to)
  const without = prompts.filter((name) => aliases.get(name)?.[alias] === undefined)
  if (without.length > 0) throw new EvalFailure('CONFIGURATION', whyWithout(without, alias, aliases))
  if (holders(alias).length === 0)
    throw new EvalFailure(
      'CONFIGURATION',
      `there is nothing to check under alias ${alias}: ${aliases.size === 0 ? 'the registry holds no prompts' : `none of the registry's ${aliases.size} prompts has it`}`,
    )
  const now = deps.now()
  const notes = new Set<string>()
  const advice = new Set<string>()
  const freshSince = now - maxAgeMs
  const context: CheckContext = {
    ...{ experiment, suites, alias, to, freshSince, now, tracking, said, notes, advice },
  }
  const checked =
    alias === to ? [await checkInPlace(prompts, context)] : await checkEach(holders(alias), context)
  problems.push(...checked.flatMap(nobodyJudged))
  const outcome = concludeAll([
    ...checked.map((one) => one.outcome),
    ...problems.map(() => 'undecided' as const),
  ])
  return {
    alias,
    to,
    outcome,
    exitCode: outcome === 'pass' ? 0 : outcome === 'fail' ? 1 : 2,
    checked,
    problems,
    notes: [...notes],
    advice: outcome === 'pass' ? [] : [...advice],
  }
}

/** Who waits for a verdict on it should know that none will come. */
const nobodyJudged = ({ prompt, candidate, suites }: Checked): string[] =>
  prompt !== undefined && suites.every(({ outcome }) => outcome === 'not-concerned')
    ? [
        `no suite used ${prompt}, so nobody judged its v${candidate?.version}: others are checked without it by --prompt`,
      ]
    : []

/** Whether any prompt has another text under `experiment`. */
async function hasNews(names: readonly string[], to: string, said: CheckContext['said']): Promise<boolean> {
  for (const name of names) {
    const [ours, theirs] = [await said(name, 'experiment'), await said(name, to)]
    if (ours?.digest !== theirs?.digest) return true
  }
  return false
}

async function checkEach(names: readonly string[], context: CheckContext): Promise<Checked[]> {
  const { alias, to, said, notes } = context
  const checked: Checked[] = []
  for (const name of names) {
    const [ours, theirs] = [await said(name, alias), await said(name, to)]
    if (!ours) continue
    if (ours.digest === theirs?.digest)
      notes.add(`${name}: ${alias} says what ${to} says, so there is nothing to compare`)
    else checked.push(await checkCandidate(ours, theirs, context))
  }
  if (checked.length > 0) return checked
  throw new EvalFailure(
    'CONFIGURATION',
    `there is nothing to check under alias ${alias}: ${names.join(', ')} ${names.length === 1 ? 'has' : 'have'} the same text under ${to}`,
  )
}

async function readSuites(
  { experiment, suites = [] }: CheckOptions,
  tracking: CheckDeps['tracking'],
): Promise<{ suites: CheckedSuite[]; problems: string[] }> {
  const wanted = suites.length > 0 ? suites : await listLoggedSuites(tracking, experiment)
  if (wanted.length === 0)
    throw new EvalFailure(
      'CONFIGURATION',
      `there are no runs in the MLflow experiment ${experiment}: run suites first`,
    )
  const known: CheckedSuite[] = []
  const problems: string[] = []
  for (const suite of new Set(wanted)) {
    const found = typeof suite === 'string' ? await readLoggedSuite(tracking, { experiment, suite }) : suite
    if ('problem' in found) problems.push(found.problem)
    else known.push(found)
  }
  return { suites: known, problems }
}

function whyWithout(
  names: readonly string[],
  alias: string,
  aliases: ReadonlyMap<string, Readonly<Record<string, number>>>,
): string {
  const unknown = names.filter((name) => !aliases.has(name))
  return unknown.length > 0
    ? `the registry has no prompt ${unknown.join(', ')}`
    : `${names.join(', ')} ${names.length === 1 ? 'has' : 'have'} no alias ${alias}: there is nothing to check`
}

/** One that fails decides; then whatever is not decided. */
function concludeAll(outcomes: readonly CheckOutcome[]): CheckOutcome {
  const order = ['fail', 'undecided', 'inconclusive'] as const
  return order.find((one) => outcomes.includes(one)) ?? (outcomes.length > 0 ? 'pass' : 'undecided')
}
