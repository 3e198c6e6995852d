import { dirname } from 'node:path'
import { watchAliases } from './alias-watch.ts'
import { findHolders } from './aliases.ts'
import { EvalFailure } from './errors.ts'
import { finishRun } from './finish-run.ts'
import { readGitState } from './git.ts'
import { type Journal, keyOf, readJournal, whyAnother } from './journal.ts'
import type { LoadedSuite } from './load-suite.ts'
import type { EvalReport } from './report.ts'
import { askedFor, joined } from './resume-run.ts'
import { abandon, type EvalDeps, startRun } from './run-eval.ts'
import type { CaseResult } from './runner.ts'

/**
 * Makes one whole run of the shards of a suite, and logs it; no case is run. It is judged as if it had been run at once: from
 * the first shard's begin to now nothing that it used may have changed.
 * @param paths - The shards' journals.
 * @throws {EvalFailure} `CONFIGURATION`: a shard is missing, did not end, or is of another run. `INFRASTRUCTURE`: the run
 *   cannot be logged.
 */
export async function mergeShards(
  loaded: LoadedSuite,
  paths: readonly string[],
  deps: EvalDeps,
): Promise<EvalReport> {
  const { suite, dataset, promptAlias } = loaded
  const shards: Journal[] = []
  for (const path of paths) {
    const journal = await readJournal(path, dataset.cases)
    if (journal.header.suite === suite.name && journal.header.shard !== undefined) shards.push(journal)
  }
  const [first, ...others] = inOrder(shards, suite.name)
  const holders = await findHolders(deps.registry, promptAlias)
  const asked = await askedFor(loaded, deps, holders)
  for (const { header } of [first, ...others]) {
    const apart = whyAnother(header.asked, asked)
    if (apart.length > 0)
      throw new EvalFailure(
        'CONFIGURATION',
        `shard ${header.shard} of ${suite.name} is of another run: ${apart.join('; ')}`,
      )
  }
  const cases = dataset.cases.flatMap(({ id }) =>
    Array.from({ length: suite.trials }, (_, trial): CaseResult => {
      const result = [first, ...others].flatMap(({ results }) => results.get(keyOf(id, trial)) ?? [])[0]
      if (result) return result
      throw new EvalFailure('CONFIGURATION', `no shard of ${suite.name} ran trial ${trial + 1} of case ${id}`)
    }),
  )
  const oldest = [first, ...others].reduce((a, b) => (b.header.startedAt < a.header.startedAt ? b : a))
  const { startedAt, mark } = oldest.header
  const watch = await watchAliases(deps, mark)
  const git = await readGitState(deps.git, dirname(suite.path))
  const judgePrompts = joined(...[first, ...others].map((shard) => shard.judgePrompts))
  const run = await startRun(loaded, deps, { git }, startedAt)
  try {
    return await finishRun(run, { loaded, cases, holders, watch, judgePrompts, startedAt }, deps)
  } catch (error) {
    await abandon(run, error, deps.now())
    throw error
  }
}

/** All parts of one division, once each and ended. */
function inOrder(shards: readonly Journal[], suite: string): [Journal, ...Journal[]] {
  const refuse = (what: string) => {
    throw new EvalFailure('CONFIGURATION', what)
  }
  const of = shards[0]?.header.shard?.split('/')[1]
  if (of === undefined) return refuse(`there are no shards of ${suite} among these files`)
  const ordered = Array.from({ length: Number(of) }, (_, index) => {
    const name = `${index + 1}/${of}`
    const [found, second] = shards.filter(({ header }) => header.shard === name)
    if (!found) return refuse(`shard ${name} of ${suite} is missing`)
    if (second) return refuse(`shard ${name} of ${suite} is there twice: ${found.path} and ${second.path}`)
    if (!found.report)
      return refuse(`shard ${name} of ${suite} did not end: go on with it by --shard ${name} --resume`)
    if (found.report.verdict === 'invalid')
      return refuse(`shard ${name} of ${suite} is no evidence: ${found.report.reasons.join('; ')}`)
    return found
  })
  const other = shards.find(({ header }) => header.shard?.split('/')[1] !== of)
  if (other) return refuse(`${other.path} is shard ${other.header.shard}, and others are of ${of}`)
  return ordered as [Journal, ...Journal[]]
}
