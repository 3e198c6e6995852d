import type { Lineage } from '@promptkeep/client'
import { fingerprintOf } from '@promptkeep/client/protocol'
import type { AliasWatch, Watched } from './alias-watch.ts'
import type { EvalRegistry } from './aliases.ts'
import { type JudgePrompt, traceJudge } from './judge-lineage.ts'
import { unknownProblems } from './known-version.ts'
import { isKey } from './logged-text.ts'
import type { CaseResult } from './runner.ts'

/** A prompt as a run used it. */
export interface UsedPrompt {
  readonly version: number
  readonly digest: string
  /** Absent when the target loaded it by number. */
  readonly alias?: string | undefined
  /** Cases that used it. */
  readonly cases: number
}

/** A prompt that has the first alias of a run's chain: what the run is for. */
export interface Candidate {
  readonly version: number
  /** Cases that used it by that alias. */
  readonly cases: number
}

/** Which prompts a run judged, and whether it may say so. */
export interface RunLineage {
  readonly prompts: Readonly<Record<string, UsedPrompt>>
  /** Over name, version and digest of `prompts`; see `fingerprintOf`. */
  readonly fingerprint: string
  /** By name; empty when the run asked for one alias, which every prompt must then answer to. */
  readonly candidates: Readonly<Record<string, Candidate>>
  /** The prompts of the suite's judge, by name. */
  readonly judgePrompts: Readonly<Record<string, JudgePrompt>>
  /** Why the run is no evidence about these prompts; empty when it is. */
  readonly problems: readonly string[]
  /** What could not be looked at. */
  readonly notes: readonly string[]
}

export interface LineageRules {
  readonly promptAlias: readonly string[]
  /** Prompts that had the first alias of the chain before the run. */
  readonly holders: ReadonlyMap<string, number>
  /** When the run began, in milliseconds since the epoch: nothing older may have answered. */
  readonly startedAt: number
  readonly registry: EvalRegistry
  /** Began before the run did. */
  readonly watch: AliasWatch
  /** What the suite's judge was asked with, when it was. */
  readonly judgePrompts?: Readonly<Record<string, Lineage>> | undefined
  /** False when the run broke off: then nothing can be missing from it yet. */
  readonly complete: boolean
}

interface Use {
  readonly name: string
  readonly lineage: Lineage
  readonly caseId: string
  readonly caseStartedAt: number
}

/**
 * What a run's cases used, judged as evidence. Accepted is what the registry answered, and a cache that it filled
 * since the run began; a prompt must be the same all through, known to the registry with the digest that was
 * used, and resolved through the alias that the run asked for. What an alias said may not change from the run's begin to
 * its end, also when no case saw it. The judge's prompts are held to the same.
 * @throws {EvalFailure} The registry cannot be asked.
 */
export async function traceLineage(results: readonly CaseResult[], rules: LineageRules): Promise<RunLineage> {
  const uses = results.flatMap(usesOf)
  const prompts: (readonly [string, UsedPrompt])[] = []
  const problems: string[] = []
  const watched: Watched[] = []
  /** Seen in more than one version: that is said with the cases. */
  const mixed = new Set<string>()
  for (const [name, used] of [...grouped(uses, ({ name }) => name)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [{ lineage }] = used
    const { version, digest, alias } = lineage
    prompts.push([name, { version, digest, alias, cases: casesIn(used) }])
    if (grouped(used, textOf).size > 1) mixed.add(name)
    problems.push(...usedProblems(name, used, rules))
    if (version > 0) problems.push(...(await unknownProblems(name, lineage, rules.registry)))
    if (version > 0) watched.push({ name, version, ...answering(alias, rules.promptAlias) })
    if (!isKey(`prompt_digest.${name}`))
      problems.push(
        `no param can be named after ${JSON.stringify(name.slice(0, 100))}: the run cannot say that it used it`,
      )
  }
  const judge = await traceJudge(rules.judgePrompts ?? {}, rules.registry)
  problems.push(...judge.problems)
  const changes = await rules.watch.changes([...watched, ...judge.watched])
  for (const [name, change] of changes)
    if (!mixed.has(name)) problems.push(`${name} changed during the run: ${change}`)
  if (rules.complete && uses.length === 0) problems.push('the target reported no prompts')
  return {
    prompts: Object.fromEntries(prompts),
    fingerprint: await fingerprintOf(
      prompts.map(([name, { version, digest }]) => ({ name, version, digest })),
    ),
    candidates: candidatesOf(uses, rules),
    judgePrompts: judge.prompts,
    problems,
    notes: rules.watch.note === undefined ? [] : [rules.watch.note],
  }
}

/** Of a chain: the alias that answered, and those that would have, had they been set. */
function answering(
  alias: string | undefined,
  chain: readonly string[],
): Pick<Watched, 'aliases' | 'hasNext'> {
  if (alias === undefined) return { aliases: [], hasNext: false }
  const place = chain.indexOf(alias)
  return place < 0
    ? { aliases: [alias], hasNext: false }
    : { aliases: chain.slice(0, place + 1), hasNext: place + 1 < chain.length }
}

type Group<T> = [T, ...T[]]

const textOf = ({ lineage: { version, digest } }: Use): string => `${version} ${digest}`

/** A case counts once, however many trials it has. */
const casesIn = (uses: readonly Use[]): number => new Set(uses.map(({ caseId }) => caseId)).size

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, Group<T>> {
  const groups = new Map<string, Group<T>>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return groups
}

const usesOf = ({ case: { id }, result, startedAt }: CaseResult): Use[] =>
  Object.entries(result?.prompts ?? {}).map(([name, lineage]) => ({
    name,
    lineage,
    caseId: id,
    caseStartedAt: startedAt,
  }))

function usedProblems(name: string, uses: readonly Use[], { promptAlias, holders, startedAt }: LineageRules) {
  const problems: string[] = []
  const strange = uses.find(({ lineage }) => !['registry', 'cache'].includes(lineage.source))
  if (strange) {
    const { source, version } = strange.lineage
    problems.push(`${name} was answered from ${source} (version ${version}) in case ${strange.caseId}`)
  }
  // A case resolves its prompts after it starts: what is younger than the run by this reckoning surely is.
  const old = uses.find(
    ({ lineage, caseStartedAt }) => lineage.source === 'cache' && caseStartedAt - lineage.ageMs < startedAt,
  )
  if (old) problems.push(`${name} was answered from a cache older than the run in case ${old.caseId}`)

  const versions = [...grouped(uses, textOf).values()]
  if (versions.length > 1) {
    const seen = versions.map((some) => {
      const [{ lineage, caseId }] = some
      return `v${lineage.version} in ${casesIn(some) === 1 ? `case ${caseId}` : `${casesIn(some)} cases`}`
    })
    problems.push(`${name} changed during the run: ${seen.join(', ')}`)
  }

  const astray = uses.find(({ lineage }) => !promptAlias.includes(lineage.alias ?? ''))
  if (astray && !strange) {
    const by = astray.lineage.alias === undefined ? 'no alias' : `alias ${astray.lineage.alias}`
    problems.push(
      `${name} was resolved by ${by}, not by ${promptAlias.join(' → ')}, in case ${astray.caseId}`,
    )
  }
  const passedOver = uses.find(({ lineage }) => holders.has(name) && lineage.alias !== promptAlias[0])
  if (passedOver && !astray && !strange) {
    problems.push(
      `${name} has alias ${promptAlias[0]}, and case ${passedOver.caseId} used ${passedOver.lineage.alias}`,
    )
  }
  return problems
}

/** A chain's run is about the prompts that have its first alias. */
function candidatesOf(
  uses: readonly Use[],
  { promptAlias, holders }: LineageRules,
): Record<string, Candidate> {
  if (promptAlias.length < 2) return {}
  const casesOf = (wanted: string) =>
    casesIn(uses.filter(({ name, lineage }) => name === wanted && lineage.alias === promptAlias[0]))
  const names = [...holders].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(names.map(([name, version]) => [name, { version, cases: casesOf(name) }]))
}
