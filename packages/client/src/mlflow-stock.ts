import { sleep } from './deadline.ts'
import { defined } from './defined.ts'
import { digestOf } from './digest.ts'
import { Conflict, hasCode, InvalidInput, isOutage } from './errors.ts'
import type { MlflowApi } from './mlflow-api.ts'
import type { PromptInfo } from './prompt.ts'
import type { AliasMove, Change, Page, SeedResult, VersionDraft } from './transport.ts'
import { TAG } from './wire-keys.ts'

/** MLflow's column for a prompt tag is short. */
const MAX_MOVE_LENGTH = 4_000
const MAX_TAG_KEY_LENGTH = 250
/** + alias: the last change of its weights, a tag of the prompt as that of the last move. */
const SPLIT_PREFIX = 'promptkeep.split.'
/** How long the loser of a race waits for the winner to point the alias, and how often it looks. */
const WAIT_FOR_WINNER_MS = 1_500
const LOOK_EVERY_MS = 75
/** Half a seeding of this age has no seeder any more. */
const ABANDONED_MS = 60_000

export interface StockOptions {
  readonly api: MlflowApi
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly signal: AbortSignal
}

/**
 * Points an alias on a server without compare-and-set: read, compare, write, read again. A race that was lost is
 * reported, not prevented. The move is kept in a tag of the prompt, the only history there is, with the evidence as the
 * caller gave it: nobody checks it.
 * @throws {Conflict} when `expected` was not, or is no longer, so @throws {InvalidInput} when it is forced
 */
export async function stockMove(move: AliasMove, { api, now }: StockOptions): Promise<Change> {
  const { name, alias, to, expected, reason, evidence, force } = move
  if (force)
    throw new InvalidInput('force: a stock MLflow server has no policies, so there is nothing to force')
  const from = (await api.find(name)).aliases[alias]
  if (expected !== undefined && expected !== (from ?? null)) throw conflict(move, from)
  await api.setAlias(name, alias, to)
  if (expected !== undefined) {
    const after = (await api.find(name)).aliases[alias]
    if (after !== to) throw conflict(move, after)
  }
  const change: Change = {
    kind: 'alias.moved',
    prompt: name,
    alias,
    ...defined({ from, reason, evidence }),
    to,
    at: now(),
  }
  await recordChange(change, api)
  return change
}

export function conflict(
  { name, alias, expected }: Pick<AliasMove, 'name' | 'alias' | 'expected'>,
  current: number | undefined,
): Conflict {
  const words = (version: number | null | undefined) => (version == null ? 'unset' : `at version ${version}`)
  const message = `alias "${alias}" of "${name}" is ${words(current)}, not ${words(expected)} as expected`
  return new Conflict(message, current ?? null)
}

/** It is made by now: a record that cannot be kept does not make the change a failure. */
export async function recordChange(change: Change, api: MlflowApi): Promise<void> {
  const key = `${change.kind === 'alias.moved' ? TAG.movePrefix : SPLIT_PREFIX}${change.alias}`
  if (key.length > MAX_TAG_KEY_LENGTH) return
  const { from, to, at, evidence, reason = '' } = change
  const write = (kept: string) =>
    JSON.stringify({ ...defined({ from, evidence }), to, at, ...(kept !== '' && { reason: kept }) })
  const characters = [...reason] // not code units: half a character cannot be stored
  let text = write(reason)
  while (text.length > MAX_MOVE_LENGTH) {
    // One character is at most six in JSON, so this never cuts too much.
    characters.splice(-Math.max(1, Math.floor((text.length - MAX_MOVE_LENGTH) / 6)))
    text = write(characters.join(''))
  }
  try {
    await api.setPromptTag(change.prompt, key, text)
  } catch (error) {
    if (!isOutage(error) && !hasCode(error, 'FORBIDDEN')) throw error
  }
}

/** The last move and the last weights of each alias, as far as a client recorded them. */
export function stockChanges({ name, tags }: PromptInfo): Page<Change> {
  const items = Object.entries(tags)
    .flatMap(([key, text]) => readChange(name, key, text) ?? [])
    .sort((a, b) => b.at - a.at)
  return { items }
}

/** Anybody may write a tag: what cannot be read is no change. */
function readChange(prompt: string, key: string, text: string): Change | undefined {
  const prefix = [TAG.movePrefix, SPLIT_PREFIX].find((one) => key.startsWith(one))
  if (prefix === undefined) return undefined
  const kind = prefix === SPLIT_PREFIX ? 'rollout.changed' : 'alias.moved'
  const alias = key.slice(prefix.length)
  try {
    const { from, to, at, reason, evidence } = JSON.parse(text) as Partial<Change>
    if (typeof to !== 'number' || typeof at !== 'number') return undefined
    return { kind, prompt, alias, ...defined({ from, reason, evidence }), to, at }
  } catch {
    return undefined
  }
}

/**
 * Seeds one prompt on a server without transactions. Whoever wins `registered-models/create` seeds it, and losers
 * wait for its alias. What a seeder left half done is finished: only a prompt without any version, or with exactly
 * one that was seeded, holds this very content and never had an alias.
 */
export async function stockSeed(
  { alias, ...draft }: VersionDraft & { readonly alias: string },
  options: StockOptions,
): Promise<SeedResult> {
  const { api, now, signal } = options
  const { name } = draft
  const present = await findAlias()
  if (present) return present
  const description = draft.description ?? draft.commitMessage ?? ''
  const isMine = present === null && (await api.createPrompt(name, description))
  if (isMine) return { outcome: 'seeded', current: await publish() }

  // The prompt exists and the alias does not: it is someone's own, or being seeded right now, or half done.
  const deadline = now() + WAIT_FOR_WINNER_MS
  let half = await findHalfDone()
  while (half && now() < deadline && now() - half.createdAt < ABANDONED_MS) {
    await sleep(LOOK_EVERY_MS, signal)
    const found = await findAlias()
    if (found) return found
    half = await findHalfDone()
  }
  if (half) return { outcome: 'healed', current: await heal(half.version) }
  return (await findAlias()) ?? { outcome: 'skipped' }

  /** `null` when there is no such prompt, `undefined` when it has no such alias. */
  async function findAlias(): Promise<SeedResult | null | undefined> {
    try {
      const { version, digest } = await api.findByAlias(name, alias)
      return { outcome: 'skipped', current: { version, digest } }
    } catch (error) {
      if (hasCode(error, 'PROMPT_NOT_FOUND')) return null
      if (hasCode(error, 'ALIAS_NOT_FOUND')) return undefined
      throw error
    }
  }

  async function publish(): Promise<{ version: number; digest: string }> {
    const { version, digest } = await api.createVersion({
      ...draft,
      tags: { ...draft.tags, [TAG.seeded]: 'true' },
    })
    await api.setAlias(name, alias, version)
    return { version, digest }
  }

  async function findHalfDone(): Promise<{ version?: number; createdAt: number } | undefined> {
    const { aliases, tags, latestVersion, createdAt } = await api.find(name)
    const everMoved = Object.keys(tags).some((key) => key.startsWith(TAG.movePrefix))
    if (everMoved || Object.keys(aliases).length > 0) return undefined
    if (latestVersion === undefined) return { createdAt }
    const [only, ...more] = (await api.versions(name, { limit: 2 })).items
    if (!only || more.length > 0 || only.tags[TAG.seeded] === undefined) return undefined
    if (only.digest !== (await digestOf(draft))) return undefined
    return { version: only.version, createdAt: only.createdAt }
  }

  /** Two healers may meet: both see two versions then, and the later one takes its own back. */
  async function heal(version: number | undefined): Promise<{ version: number; digest: string }> {
    const digest = await digestOf(draft)
    if (version !== undefined) {
      await api.setAlias(name, alias, version)
      return { version, digest }
    }
    const mine = await publish()
    const seeded = (await api.versions(name)).items.filter(
      (v) => v.tags[TAG.seeded] !== undefined && v.digest === digest,
    )
    const first = Math.min(mine.version, ...seeded.map((v) => v.version))
    if (first === mine.version) return mine
    await api.setAlias(name, alias, first)
    await api.deleteVersion(name, mine.version)
    return { version: first, digest }
  }
}
