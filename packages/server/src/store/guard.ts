import { InvalidInput, RegistryError } from '@promptkeep/client/protocol'
import { prepared } from '@promptkeep/sql'
import { type Selectable, sql } from 'kysely'
import { rolloutNames, rolloutTag } from './content-tags.ts'
import type { StoreContext } from './context.ts'
import { findFailure, type Judged } from './evidence.ts'
import { deedOf, MOVE_EVIDENCE, MOVE_REASON, ONLY_FORCED, type Refusal, versionsOf } from './guard-texts.ts'
import { toPolicy } from './policies.ts'
import type { PolicyTable, Tx } from './schema.ts'
import { type Author, MOVERS, type Policy } from './store.ts'

/** What is about to change what an alias says. */
export interface GuardedChange {
  readonly kind:
    | 'move'
    | 'rollback'
    | 'remove'
    | 'rollout'
    | 'config'
    | 'register'
    | 'delete version'
    | 'delete prompt'
    | 'rename'
  readonly model: { readonly id: number; readonly name: string }
  readonly alias: string
  /** What a move points it at, or a rollback brings back; absent when it is unset then. */
  readonly to?: Judged | undefined
  /** Versions that a rollback's weights would serve and that were never in force like that. */
  readonly unproven?: readonly number[]
  /** What it says now; absent while it is unset. */
  readonly from?: number | undefined
}

/** Goes with the change into the log. */
export interface Permit {
  /** Whether the policy would have refused it. */
  readonly forced: boolean
  /** `runs:/<id>` of the run that a policy asked for and the server checked; else what the author said. */
  readonly evidence: string | undefined
}

type Deps = Pick<StoreContext, 'dialect' | 'now'>

const policyOf = prepared<{ alias: string }, Selectable<PolicyTable>>(
  (of) => sql`select * from policies where alias = ${of('alias')}`,
)

/**
 * Lets a change of what an alias says pass, or refuses it. Called in the transaction that makes the change, after
 * `lockLog`: policies change under the same lock, and so no change slips in between a policy and its check.
 *
 * A move needs all that the policy asks for. A rollback to a version needs its roles and its reason: what comes back was
 * in force before, unless its rollout names what was not. Everything else cannot be judged by a run, so that where evidence is asked for only force does it;
 * also a rollback to "unset", after which the next move had no baseline to be compared with.
 *
 * @throws {RegistryError} `FORBIDDEN`, with the clause that failed, what was found and what would do
 * @throws {InvalidInput} for force without a reason
 */
export async function guard(tx: Tx, deps: Deps, change: GuardedChange, author: Author): Promise<Permit> {
  requireMayForce(author)
  const [row] = await policyOf(tx, { alias: change.alias })
  const policy = row && toPolicy(row)
  const verdict = await judge(tx, deps, { change, policy, author })
  if (!('clause' in verdict)) return { forced: false, ...verdict }
  if (author.force === true) return { forced: true, evidence: undefined }
  throw new RegistryError('FORBIDDEN', refusalText(change, verdict, policy !== undefined))
}

/** The same for several aliases of a prompt at once. @returns Those whose policy was overruled. */
export async function guardAliases(
  tx: Tx,
  deps: Deps,
  change: Omit<GuardedChange, 'alias'> & { readonly aliases: readonly string[] },
  author: Author,
): Promise<ReadonlySet<string>> {
  requireMayForce(author)
  const forced = new Set<string>()
  for (const alias of change.aliases)
    if ((await guard(tx, deps, { ...change, alias }, author)).forced) forced.add(alias)
  return forced
}

const aliasesWithRollouts = prepared<
  { modelId: number },
  { alias: string; version: number; rollout: string | null }
>(
  (of) => sql`
    select a.alias, a.version, t.value as rollout from aliases a
      left join version_tags t on t.model_id = a.model_id and t.version = a.version
        and t.key = ${sql.lit(rolloutTag(''))} || a.alias
    where a.model_id = ${of('modelId')} order by a.alias`,
)

/** The aliases of a prompt; of one version: those that say it, also through the weights of their rollout. */
export async function aliasesOf(tx: Tx, modelId: number, version?: number): Promise<string[]> {
  const rows = await aliasesWithRollouts(tx, { modelId })
  return rows
    .filter(
      (row) =>
        version === undefined ||
        row.version === version ||
        (row.rollout !== null && rolloutNames(row.rollout, version)),
    )
    .map(({ alias }) => alias)
}

interface Case {
  readonly change: GuardedChange
  readonly policy: Policy | undefined
  readonly author: Author
}

async function judge(
  tx: Tx,
  deps: Deps,
  { change, policy, author }: Case,
): Promise<Refusal | Pick<Permit, 'evidence'>> {
  const allowed = policy ? policy.roles : MOVERS
  if (!author.roles.some((role) => role === 'admin' || allowed.includes(role)))
    return {
      clause: 'role',
      found: `${author.actor} has ${author.roles.join(', ') || 'no role'}`,
      needed: `a token with ${[...new Set([...allowed, 'admin'])].join(' or ')}`,
    }
  const { evidence } = author
  if (!policy) return { evidence }
  if (policy.reasonRequired && !hasReason(author))
    return { clause: 'reason', found: 'no reason was given', needed: MOVE_REASON }
  const { kind, to, unproven = [] } = change
  if (!policy.evidenceRequired) return { evidence }
  if (unproven.length > 0)
    return { clause: 'evidence', ...ONLY_FORCED, found: `${ONLY_FORCED.found}: ${notThen(unproven)}` }
  if (kind === 'rollback' && to !== undefined) return { evidence }
  if (kind !== 'move' || to === undefined) return { clause: 'evidence', ...ONLY_FORCED }
  if (evidence === undefined)
    return { clause: 'evidence', found: 'no eval run was named', needed: MOVE_EVIDENCE(change) }
  return findFailure(tx, deps, { ...change, to, reference: evidence, maxAgeMs: policy.maxAgeMs })
}

/** Also where there is no policy: who asks for force expects that it counts. */
function requireMayForce(author: Author): void {
  if (author.force !== true) return
  if (!author.roles.includes('admin'))
    throw new RegistryError(
      'FORBIDDEN',
      `Only an admin may force a change against a policy; ${author.actor} has ${author.roles.join(', ') || 'no role'}.`,
    )
  if (!hasReason(author))
    throw new InvalidInput(`A forced change needs a reason, for the history keeps it: ${MOVE_REASON}.`)
}

const notThen = (versions: readonly number[]) =>
  `its rollout would also serve ${versionsOf(versions)}, registered or edited since`

const hasReason = ({ reason }: Author) => reason !== undefined && reason.trim() !== ''

function refusalText(change: GuardedChange, { clause, found, needed }: Refusal, isPolicy: boolean): string {
  const by = isPolicy ? `the policy of ${change.alias}` : 'the roles that may move an alias'
  return `${deedOf(change)}: ${by} refuses it, clause "${clause}". Found: ${found}. Needed: ${needed}.`
}
