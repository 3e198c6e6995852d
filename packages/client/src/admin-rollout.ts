import type { Rollout } from './admin-port.ts'
import { checkAlias, checkName, checkVersion } from './check-names.ts'
import { defined } from './defined.ts'
import { Conflict, hasCode, InvalidInput } from './errors.ts'
import type { Send } from './http.ts'
import { ROOT } from './mlflow-find.ts'
import { conflict, recordChange, type StockOptions, stockMove } from './mlflow-stock.ts'
import { checkObject } from './refuse.ts'
import { checkWeights, mainVersion, type Weights, writeRollout } from './rollout.ts'
import { isEmptyTemplate } from './template.ts'
import type { Change } from './transport.ts'
import { checkNote } from './validate.ts'
import { readRecord, readTags, toPromptVersion } from './wire.ts'
import { TAG } from './wire-keys.ts'

type StockTools = StockOptions & { readonly send: Send }

export interface CheckedRollout extends Omit<Rollout, 'alias' | 'weights'> {
  readonly alias: string
  readonly weights: Weights
}

/** @throws {InvalidInput} naming the field, what was given and what is allowed */
export function checkRollout(given: Rollout): CheckedRollout {
  checkObject(given, 'rollout')
  const { name, alias = 'production', weights, reason, evidence, expected, force } = given
  checkName(name)
  checkAlias(alias)
  const checked = checkWeights(weights)
  if (reason !== undefined) checkNote(reason, 'reason')
  if (evidence !== undefined) checkNote(evidence, 'evidence')
  if (expected !== undefined && expected !== null) checkVersion(expected, 'expected')
  return { name, alias, weights: checked, ...defined({ reason, evidence, expected, force }) }
}

/**
 * On a server without transactions. While the alias stays, one tag is all. Where it moves, the weights are on its new
 * version first, so that the move is the one step that readers see; what it leaves behind has no weights after that, or
 * a later move back would bring them into force. A change of weights alone is kept in a tag of the prompt, as a move is.
 * @throws {Conflict} when `expected` was not, or is no longer, so @throws {InvalidInput} when it is forced
 */
export async function stockRollout(rollout: CheckedRollout, options: StockTools): Promise<readonly Change[]> {
  const { name, alias, weights, reason, evidence, expected, force } = rollout
  const { api, now, send } = options
  const key = `${TAG.rolloutPrefix}${alias}`
  if (force) throw nothingToForce()
  const from = (await api.find(name)).aliases[alias]
  if (expected !== undefined && expected !== (from ?? null)) throw conflict(rollout, from)
  await Promise.all([...weights.keys()].map(requireText))

  const to = mainVersion(weights, from)
  const before = (await tagsOf({ name, version: to }, send))[key]
  const after = writeRollout(weights, to)
  const changes: Change[] = []
  if (before !== after) {
    await setStockWeights({ name, version: to, alias, weights: after }, send)
    const edit = JSON.stringify({ before: before ?? null, after: after ?? null })
    const row = { kind: 'rollout.changed', prompt: name, alias, to, evidence: edit } as const
    changes.push({ ...row, ...defined({ reason }), at: now() })
  }
  if (from === to) {
    for (const change of changes) await recordChange(change, api)
    return changes
  }
  const move = { name, alias, to, ...defined({ reason, evidence, expected }) }
  changes.push(await stockMove(move, options))
  if (from !== undefined) await forgetWeights(from)
  return changes

  async function requireText(version: number): Promise<void> {
    const { template } = await toPromptVersion(await versionOf({ name, version }, send))
    if (isEmptyTemplate(template))
      throw new InvalidInput(`"${name}" version ${version} has no text: whoever got it would fall back`)
  }

  /** The alias has moved by now: nobody is served by these weights. */
  async function forgetWeights(version: number): Promise<void> {
    try {
      if (key in (await tagsOf({ name, version }, send)))
        await setStockWeights({ name, version, alias }, send)
    } catch (error) {
      if (!hasCode(error, 'VERSION_NOT_FOUND')) throw error
    }
  }
}

/**
 * Brings back the weights from before a change that is recorded, on the version that the alias still points at.
 * @throws {Conflict} when they are not what it made of them
 */
export async function undoWeights(
  { to: version = 0, evidence }: Change,
  { name, alias, reason, expected, force }: Omit<CheckedRollout, 'weights'>,
  { api, now, send }: StockTools,
): Promise<Change> {
  if (force) throw nothingToForce()
  if (expected !== undefined && expected !== version) throw conflict({ name, alias, expected }, version)
  const { before, after } = readEdit(evidence)
  const present = (await tagsOf({ name, version }, send))[`${TAG.rolloutPrefix}${alias}`] ?? null
  if (present !== after)
    throw new Conflict(
      `the rollout of the alias "${alias}" of "${name}" was changed after the last change that is recorded, so what was ` +
        'before is not known',
      version,
    )
  await setStockWeights({ name, version, alias, weights: before ?? undefined }, send)
  const edit = JSON.stringify({ before: after, after: before })
  const row = { kind: 'rollout.changed', prompt: name, alias, to: version, evidence: edit } as const
  const change: Change = { ...row, ...defined({ reason }), at: now() }
  await recordChange(change, api)
  return change
}

/** Anybody may write the tag of the prompt that this comes from. */
function readEdit(evidence: string | undefined): { before: string | null; after: string | null } {
  try {
    const { before, after } = JSON.parse(evidence ?? '') as Readonly<Record<string, unknown>>
    const isText = (value: unknown) => value === null || typeof value === 'string'
    if (isText(before) && isText(after)) return { before, after } as ReturnType<typeof readEdit>
  } catch {
    // Said below.
  }
  throw new InvalidInput('the last change of the rollout cannot be read, so what was before is not known')
}

const nothingToForce = () =>
  new InvalidInput('force: a stock MLflow server has no policies, so there is nothing to force')

async function versionOf(about: { readonly name: string; readonly version: number }, send: Send) {
  const request = { method: 'GET', path: `${ROOT}/model-versions/get`, query: about, about } as const
  return readRecord(readRecord(await send(request), 'answer').model_version, 'model_version')
}

const tagsOf = async (about: { readonly name: string; readonly version: number }, send: Send) =>
  readTags(await versionOf(about, send))

/** @param where.weights - What the tag says; absent: there is none any more */
async function setStockWeights(
  where: {
    readonly name: string
    readonly version: number
    readonly alias: string
    readonly weights?: string | undefined
  },
  send: Send,
): Promise<void> {
  const { name, version, alias, weights: value } = where
  const body = { name, version: String(version), key: `${TAG.rolloutPrefix}${alias}` }
  const about = { name, version }
  if (value === undefined)
    await send({ method: 'DELETE', path: `${ROOT}/model-versions/delete-tag`, body, about })
  else await send({ method: 'POST', path: `${ROOT}/model-versions/set-tag`, body: { ...body, value }, about })
}
