import { LIMIT } from '@promptkeep/client/protocol'
import { sql } from 'kysely'
import { rolloutTag } from './content-tags.ts'
import type { StoreContext } from './context.ts'
import { command, ONLY_FORCED, type Refusal } from './guard-texts.ts'
import type { RunTable, Tx } from './schema.ts'
import { readTag } from './tags.ts'
import { readVerdict, VERDICT_TAG } from './verdicts.ts'

/** The version that a run must have judged. */
export interface Judged {
  readonly version: number
  /** `null`: a plain model's version, about which no run says anything. */
  readonly digest: string | null
}

export interface Claim {
  readonly model: { readonly id: number; readonly name: string }
  readonly alias: string
  readonly to: Judged
  /** The version that the alias says now: what the baseline run judged. */
  readonly from?: number | undefined
  /** A run's id, or `runs:/<id>`. */
  readonly reference: string
  /** Milliseconds since the run ended; `undefined`: any age. */
  readonly maxAgeMs: number | undefined
}

/** A run's end is its client's time, and clocks differ a little. */
const MAX_SKEW_MS = 60_000

const INVALID_TAG = 'promptkeep.invalid'
/** MLflow's: where a run's suite was read from. */
const SOURCE_TAG = 'mlflow.source.name'

type Deps = Pick<StoreContext, 'dialect' | 'now'>
type Pairs = Readonly<Record<string, string | undefined>>
interface Read {
  readonly run: RunTable
  readonly params: Pairs
  readonly tags: Pairs
}

/**
 * Checks that a run is evidence for pointing an alias at a version, in the server's own tables.
 * @returns The run as it stands in the log, or the first clause that fails. The run is locked until the transaction ends:
 * it says then what it said here.
 */
export async function findFailure(
  tx: Tx,
  deps: Deps,
  claim: Claim,
): Promise<Refusal | { readonly evidence: string }> {
  if (!canBeJudged(claim)) return cannotBeJudged(claim)
  const id = claim.reference.replace(/^runs:\//, '')
  const { rows } = await sql<RunTable>`
    select * from runs where id = ${id} ${deps.dialect.forUpdate}`.execute(tx)
  const [run] = rows
  if (!run || !(await isActive(tx, run)))
    return refusal(
      claim,
      'run',
      run ? `the run ${id} is deleted` : `this server has no run ${JSON.stringify(id.slice(0, 100))}`,
    )
  const read: Read = { run, ...(await readPairs(tx, claim, id)) }
  const failure =
    endFailure(claim, read, deps.now()) ??
    identityFailure(claim, read) ??
    (await rolloutFailure(tx, claim)) ??
    (await datasetFailure(tx, claim, read, deps.now())) ??
    (await verdictFailure(tx, claim, read, deps.now())) ??
    invalidFailure(claim, read)
  return failure ?? { evidence: `runs:/${id}` }
}

/** A run says what it judged in params, and MLflow takes not every key. */
const keyOf = ({ model }: Claim) => `prompt_digest.${model.name}`
const canBeJudged = (claim: Claim) =>
  /^[/\p{L}\p{N}_.\- :]*$/u.test(keyOf(claim)) && [...keyOf(claim)].length <= LIMIT.tagKey

const cannotBeJudged = (claim: Claim): Refusal => ({
  clause: 'version',
  found:
    `no run can say that it judged ${JSON.stringify(claim.model.name.slice(0, 300))}, for no param can be called ` +
    `prompt_digest.<that name>: its key holds letters, digits, spaces and _ - . : / only, and at most ${LIMIT.tagKey} characters`,
  needed: ONLY_FORCED.needed,
})

async function isActive(tx: Tx, { stage, experiment_id }: RunTable): Promise<boolean> {
  const experiment = await tx
    .selectFrom('experiments')
    .select('stage')
    .where('id', '=', experiment_id)
    .executeTakeFirst()
  return stage === 'active' && experiment?.stage === 'active'
}

async function readPairs(tx: Tx, { model: { name } }: Claim, id: string): Promise<Omit<Read, 'run'>> {
  const keys = ['suite', 'dataset_digest', `prompt.${name}`, `prompt_digest.${name}`]
  const params = await tx
    .selectFrom('params')
    .select(['key', 'value'])
    .where('run_id', '=', id)
    .where('key', 'in', keys)
    .execute()
  const tags = await tx
    .selectFrom('run_tags')
    .select(['key', 'value'])
    .where('run_id', '=', id)
    .where('key', 'in', [VERDICT_TAG, INVALID_TAG, SOURCE_TAG])
    .execute()
  const pairs = (rows: readonly { key: string; value: string }[]): Pairs =>
    Object.fromEntries(rows.map(({ key, value }) => [key, value]))
  return { params: pairs(params), tags: pairs(tags) }
}

function endFailure(claim: Claim, { run }: Read, now: number): Refusal | undefined {
  const { status, end_time: end } = run
  if (status !== 'FINISHED') return refusal(claim, 'finished', `the run ${run.id} is ${status}`)
  if (end === null) return refusal(claim, 'finished', `the run ${run.id} says not when it ended`)
  if (end > now + MAX_SKEW_MS)
    return refusal(claim, 'age', `the run ${run.id} ended at ${timeOf(end)}, which is still to come`)
  if (claim.maxAgeMs === undefined || now - end <= claim.maxAgeMs) return undefined
  const age = `the run ${run.id} ended at ${timeOf(end)}, ${seconds(now - end)} ago`
  return refusal(claim, 'age', age, `one that ended at most ${seconds(claim.maxAgeMs)} ago`)
}

function identityFailure(claim: Claim, { run, params }: Read): Refusal | undefined {
  const { name } = claim.model
  const { version, digest } = claim.to
  const judged = params[`prompt.${name}`]
  if (judged !== `v${version}`)
    return refusal(claim, 'version', said(run, `prompt.${name}`, judged), `prompt.${name} = v${version}`)
  const its = params[`prompt_digest.${name}`]
  if (digest === null)
    return refusal(claim, 'digest', `version ${version} has no digest, for it is no prompt's`)
  if (its === digest) return undefined
  // Numbers start again when a prompt was deleted: the same number may have been another text.
  return refusal(
    claim,
    'digest',
    said(run, `prompt_digest.${name}`, its),
    `prompt_digest.${name} = ${digest}, which is what version ${version} says now`,
  )
}

/** A run judges one version of a prompt; the weights on this version would send traffic to others with it. */
async function rolloutFailure(tx: Tx, { model, alias, to }: Claim): Promise<Refusal | undefined> {
  const owner = { table: 'version_tags', columns: { model_id: model.id, version: to.version } } as const
  const rollout = await readTag(tx, owner, rolloutTag(alias))
  if (rollout === undefined) return undefined
  return {
    clause: 'rollout',
    found: `version ${to.version} has the tag ${rolloutTag(alias)}, which sends traffic to versions that the run did not judge`,
    needed: 'a version without that tag (delete it first), or an admin who forces the move with a reason',
  }
}

async function datasetFailure(
  tx: Tx,
  claim: Claim,
  { run, params, tags }: Read,
  now: number,
): Promise<Refusal | undefined> {
  const { suite = '', dataset_digest: dataset = '' } = params
  if (suite === '') return refusal(claim, 'dataset', said(run, 'suite', undefined))
  if (dataset === '') return refusal(claim, 'dataset', said(run, 'dataset_digest', undefined))
  if (claim.from === undefined) return undefined
  const current = await tx
    .selectFrom('versions')
    .select('digest')
    .where('model_id', '=', claim.model.id)
    .where('version', '=', claim.from)
    .executeTakeFirst()
  const digest = current?.digest ?? ''
  const wanted = { name: claim.model.name, digest, suite, now }
  const [baseline] = (await baselineQuery(wanted).execute(tx)).rows
  const make = `${command('eval', manifestOf(tags), `--prompt-alias=${claim.alias}`)}`
  const says = `version ${claim.from}, which ${claim.alias} says now`
  if (!baseline)
    return refusal(
      claim,
      'dataset',
      `there is no baseline run: no finished, valid run of suite ${suite} has judged ${says}`,
      `one, to compare with; this makes it: ${make}`,
    )
  if (baseline.dataset === dataset) return undefined
  return refusal(
    claim,
    'dataset',
    `the run ${run.id} used dataset_digest ${dataset}, and the baseline run ${baseline.id} (${says}) ${baseline.dataset ?? 'none'}`,
    `both on one dataset; this makes a new baseline run: ${make}`,
  )
}

export interface Baseline {
  readonly name: string
  readonly digest: string
  readonly suite: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** The newest finished, valid run of a suite that judged a text. Looked for on the index `params_by_digest`. */
export const baselineQuery = ({ name, digest, suite, now }: Baseline) => sql<{
  id: string
  dataset: string | null
}>`
  select r.id, d.value as dataset
  from params p
    join runs r on r.id = p.run_id
    join experiments e on e.id = r.experiment_id
    join params s on s.run_id = r.id and s.key = 'suite'
    left join params d on d.run_id = r.id and d.key = 'dataset_digest'
  where p.key = ${`prompt_digest.${name}`} and substr(p.value, 1, 64) = ${digest} and p.value = ${digest}
    and s.value = ${suite}
    and r.status = 'FINISHED' and r.end_time <= ${now + MAX_SKEW_MS}
    and r.stage = 'active' and e.stage = 'active'
    and not exists (select 1 from run_tags t where t.run_id = r.id and t.key = ${INVALID_TAG})
  order by r.end_time desc, r.id desc limit 1`

async function verdictFailure(
  tx: Tx,
  claim: Claim,
  { run, tags }: Read,
  now: number,
): Promise<Refusal | undefined> {
  const tag = tags[VERDICT_TAG]
  if (tag !== 'pass')
    return refusal(claim, 'verdict', said(run, VERDICT_TAG, tag, 'tag'), `${VERDICT_TAG} = pass`)
  const needed = `${VERDICT_TAG} = pass, written by an evaluator's token after the run's last param`
  const verdict = await readVerdict(tx, run.id)
  const refuse = (found: string) => refusal(claim, 'verdict', found, needed)
  if (verdict?.verdict !== 'pass')
    return refuse(
      `who gave the verdict of run ${run.id} is not known (it is from before the server kept that), or params were logged or the run's end was changed after it`,
    )
  if (!verdict.isEvaluators)
    return refuse(
      `the verdict of run ${run.id} was written by ${verdict.actor}, without an evaluator's token`,
    )
  if (verdict.isRevoked)
    return refuse(`the verdict of run ${run.id} was written with ${verdict.actor}, a token that is revoked`)
  // A run's end is what its client says. When the verdict came, the server knows by itself.
  if (claim.maxAgeMs === undefined || now - verdict.at <= claim.maxAgeMs) return undefined
  const age = `the verdict of run ${run.id} was written at ${timeOf(verdict.at)}, ${seconds(now - verdict.at)} ago`
  return refusal(claim, 'age', age, `a run judged at most ${seconds(claim.maxAgeMs)} ago`)
}

function invalidFailure(claim: Claim, { run, tags }: Read): Refusal | undefined {
  const reason = tags[INVALID_TAG]
  if (reason === undefined) return undefined
  return refusal(
    claim,
    'invalid',
    `the run ${run.id} is marked invalid: ${JSON.stringify(reason.slice(0, 300))}`,
  )
}

function refusal(
  { to, model }: Claim,
  clause: Refusal['clause'],
  found: string,
  needed = `a finished, valid run that judged version ${to.version} of ${model.name} (promptkeep eval <suite> makes one)`,
): Refusal {
  return { clause, found, needed }
}

const said = ({ id }: RunTable, key: string, value: string | undefined, kind = 'param') =>
  value === undefined
    ? `the run ${id} has no ${kind} ${key}`
    : `the run ${id} says ${key} = ${JSON.stringify(value.slice(0, 300))}`

/** The suite's file as the run names it: what stands there is its client's word, so it must look like a path. */
function manifestOf(tags: Pairs): string {
  const path = tags[SOURCE_TAG] ?? ''
  return /^[\w.][\w./-]*\.ya?ml$/.test(path) ? path : '<suite>'
}

const timeOf = (ms: number) =>
  Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms after the epoch`

const seconds = (ms: number) => `${Math.ceil(ms / 1000)} s`
