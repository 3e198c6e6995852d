import type { CheckContext, Checked, CheckedSuite, Said } from './check.ts'
import { type EvalRun, findRuns } from './eval-run.ts'
import {
  type Evidence,
  type EvidenceRun,
  findEvidence,
  type JudgedVersion,
  whyNotUsable,
} from './evidence.ts'
import { judgeSuite } from './judge-suite.ts'
import { concludeSuites, type SuiteJudgement } from './promotion.ts'

/** What every suite says of one candidate, against what it is to replace. */
export async function checkCandidate(
  ours: Said,
  theirs: Said | undefined,
  context: CheckContext,
): Promise<Checked> {
  const { suites, alias: from, to, tracking, notes } = context
  const candidate = judged(ours)
  const baseline = theirs && judged(theirs)
  const said: SuiteJudgement[] = []
  for (const suite of suites) {
    const find = (of: JudgedVersion, chain: readonly string[]) =>
      evidenceFor(suite, of, { chain, byNumber: of === candidate, context })
    const { evidence, ...judgement } = await judgeSuite(
      { suite, candidate, baseline, from, to },
      { tracking, find },
    )
    said.push(judgement)
    if (evidence) for (const note of await movedSince(evidence, context, ours.name)) notes.add(note)
  }
  if (!baseline)
    notes.add(`${to} of ${ours.name} is unset: there is nothing to compare with, so thresholds alone decide`)
  return {
    prompt: ours.name,
    candidate: text(ours),
    ...(theirs ? { baseline: text(theirs) } : {}),
    outcome: concludeSuites(said),
    suites: said,
  }
}

/** What the newest complete run of every suite says of what the alias says now: by thresholds alone. */
export async function checkInPlace(prompts: readonly string[], context: CheckContext): Promise<Checked> {
  const { suites, to, notes } = context
  const said: SuiteJudgement[] = []
  for (const suite of suites) said.push(await suiteInPlace(suite, prompts, context))
  notes.add(`${to} itself was checked: there is nothing to compare with, so thresholds alone decide`)
  return { outcome: concludeSuites(said), suites: said }
}

async function suiteInPlace(
  suite: CheckedSuite,
  prompts: readonly string[],
  context: CheckContext,
): Promise<SuiteJudgement> {
  const { to, tracking, freshSince, now } = context
  const base = { suite: suite.suite.name, reasons: [], answers: [], worse: [] }
  const undecided = (...reasons: string[]): SuiteJudgement => {
    context.advice.add(howToRun(suite, [to]))
    return { ...base, outcome: 'undecided', reasons }
  }
  const run = await latestRun(suite.suite.name, context)
  if (!run) return undecided(`no complete run of this suite was asked for ${to}`)
  const [first] =
    prompts.length > 0 ? prompts.filter((name) => run.prompts[name]) : Object.keys(run.prompts).sort()
  if (first === undefined)
    return prompts.length > 0
      ? {
          ...base,
          outcome: 'not-concerned',
          reasons: [`run ${run.id} used ${Object.keys(run.prompts).sort().join(', ')}`],
        }
      : undecided(`run ${run.id} does not say which prompts it used`)
  const problem = whyNotUsable(run, { datasetDigest: suite.dataset.digest, freshSince, now })
  const moved = await movedSince(run, context)
  const why = [...(problem === undefined ? [] : [problem]), ...moved]
  if (why.length > 0)
    return { ...undecided(...why.map((one) => `the latest run ${run.id}: ${one}`)), run: run.id }
  const { version = 0, digest = '' } = run.prompts[first] ?? {}
  const candidate = { name: first, version, digest }
  const find = async (): Promise<Evidence> => ({ run })
  const { evidence: _, ...judgement } = await judgeSuite(
    { suite, candidate, from: to, to },
    { tracking, find },
  )
  return judgement
}

async function latestRun(
  suite: string,
  { experiment, to, tracking }: CheckContext,
): Promise<EvidenceRun | undefined> {
  for await (const run of findRuns(tracking, { experiment, suite, status: 'FINISHED', order: 'ended' }))
    if (run.isComplete && run.aliasChain[0] === to) return run
  return undefined
}

async function evidenceFor(
  suite: CheckedSuite,
  of: JudgedVersion,
  {
    chain,
    byNumber,
    context,
  }: { readonly chain: readonly string[]; readonly byNumber: boolean; readonly context: CheckContext },
): Promise<Evidence> {
  const { experiment, tracking, freshSince, now, advice } = context
  const found = await findEvidence(tracking, { experiment, suite, of, freshSince, now, byNumber })
  if (!('missing' in found)) return found
  advice.add(howToRun(suite, chain))
  const newest = await newestAbout(suite, { of, alias: chain[0] }, context)
  return newest === undefined
    ? found
    : { missing: `${found.missing}; the newest run of ${chain[0]} judged ${newest}` }
}

/** When the alias was moved since: what was judged then. */
async function newestAbout(
  { suite }: CheckedSuite,
  { of: { name, digest }, alias }: { readonly of: JudgedVersion; readonly alias: string | undefined },
  { experiment, tracking }: CheckContext,
): Promise<string | undefined> {
  for await (const run of findRuns(tracking, { experiment, suite: suite.name, order: 'ended' })) {
    const used = run.prompts[name]
    if (used === undefined || used.alias !== alias) continue
    return used.digest === digest ? undefined : `v${used.version} (run ${run.id})`
  }
  return undefined
}

/** Prompts that an alias gave to a run, and that it gives another version of now. @param except - Judged by itself. */
async function movedSince(run: EvalRun, { said }: CheckContext, except?: string): Promise<string[]> {
  const moved: string[] = []
  for (const [name, { version, digest, alias }] of Object.entries(run.prompts)) {
    if (name === except || alias === undefined) continue
    const now = await said(name, alias)
    if (now?.digest === digest && now?.version === version) continue
    const is = now === undefined ? 'unset' : `v${now.version}`
    moved.push(`${name} was v${version} in the run ${run.id}, and ${alias} of it is ${is} now`)
  }
  return moved
}

const howToRun = ({ suite, options }: CheckedSuite, chain: readonly string[]): string =>
  `promptkeep eval ${options?.suite ?? `evals/${suite.name}.yaml`} --prompt-alias ${chain.join(',')}`

const judged = ({ name, version, digest }: Said): JudgedVersion => ({ name, version, digest })
const text = ({ version, digest }: Said) => ({ version, digest })
