import { hasCode, isAbsence, type Lineage } from '@promptkeep/client'
import { fingerprintOf } from '@promptkeep/client/protocol'
import { answered, type EvalRegistry } from './aliases.ts'
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
  /** Why the run is no evidence about these prompts; empty when it is. */
  readonly problems: readonly string[]
}

export interface LineageRules {
  readonly promptAlias: readonly string[]
  /** Prompts that had the first alias of the chain before the run. */
  readonly holders: ReadonlyMap<string, number>
  /** When the run began, in milliseconds since the epoch: nothing older may have answered. */
  readonly startedAt: number
  readonly registry: EvalRegistry
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
 * used, and resolved through the alias that the run asked for.
 * @throws {EvalFailure} The registry cannot be asked.
 */
export async function traceLineage(results: readonly CaseResult[], rules: LineageRules): Promise<RunLineage> {
  const uses = results.flatMap(usesOf)
  const prompts: (readonly [string, UsedPrompt])[] = []
  const problems: string[] = []
  for (const [name, used] of [...grouped(uses, ({ name }) => name)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [{ lineage }] = used
    const { version, digest, alias } = lineage
    prompts.push([name, { version, digest, alias, cases: used.length }])
    problems.push(...usedProblems(name, used, rules))
    if (version > 0) problems.push(...(await unknownProblems(name, lineage, rules.registry)))
  }
  if (rules.complete && uses.length === 0) problems.push('the target reported no prompts')
  return {
    prompts: Object.fromEntries(prompts),
    fingerprint: await fingerprintOf(
      prompts.map(([name, { version, digest }]) => ({ name, version, digest })),
    ),
    candidates: candidatesOf(uses, rules),
    problems,
  }
}

type Group<T> = [T, ...T[]]

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

  const versions = [...grouped(uses, ({ lineage }) => `${lineage.version} ${lineage.digest}`).values()]
  if (versions.length > 1) {
    const seen = versions.map(([{ lineage, caseId }, ...more]) => {
      const where = more.length === 0 ? `case ${caseId}` : `${more.length + 1} cases`
      return `v${lineage.version} in ${where}`
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

/** A version that the registry doesn't know, or knows with another text, came from somewhere else. */
async function unknownProblems(
  name: string,
  { version, digest }: Lineage,
  registry: EvalRegistry,
): Promise<string[]> {
  const known = await answered(
    registry.load(name, { version }).catch((error: unknown) => {
      if (isAbsence(error) || hasCode(error, 'DIGEST_MISMATCH')) return undefined
      throw error
    }),
  )
  if (!known) return [`the registry knows no version ${version} of ${name}`]
  return known.digest === digest ? [] : [`version ${version} of ${name} has another text in the registry`]
}

/** A chain's run is about the prompts that have its first alias. */
function candidatesOf(
  uses: readonly Use[],
  { promptAlias, holders }: LineageRules,
): Record<string, Candidate> {
  if (promptAlias.length < 2) return {}
  const casesOf = (wanted: string) =>
    uses.filter(({ name, lineage }) => name === wanted && lineage.alias === promptAlias[0]).length
  const names = [...holders].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(names.map(([name, version]) => [name, { version, cases: casesOf(name) }]))
}
