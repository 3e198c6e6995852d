import type { Change } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { readRollout, TAG, type Weights } from '@promptkeep/client/protocol'

export interface RolloutPlace {
  readonly name: string
  readonly alias: string
  /** The version that the alias points at. */
  readonly main: number
  /** Of now. */
  readonly weights: Weights
}

/**
 * When the alias began to be shared among the versions that share it now, whatever their shares: before that one of them was
 * served at other times than the others, and times differ.
 * @returns Milliseconds since the epoch; `undefined` where nobody recorded it (a tag that was set by hand on stock MLflow)
 */
export async function findRolloutStart(
  admin: Pick<Admin, 'changes'>,
  { name, alias, main, weights }: RolloutPlace,
): Promise<number | undefined> {
  let start: number | undefined
  for await (const change of rolloutChanges(admin, name, alias)) {
    if (change.to !== main) return start
    if (change.kind === 'alias.moved') return change.from === main ? start : change.at
    const { before, after } = readEdit(change)
    if (!isAmong(weightsOf(after, alias, main), weights)) return start
    start = change.at
    if (!isAmong(weightsOf(before, alias, main), weights)) return start
  }
  return start
}

/** Moves and changes of weights of an alias, newest first. */
export async function* rolloutChanges(
  admin: Pick<Admin, 'changes'>,
  name: string,
  alias: string,
): AsyncGenerator<Change> {
  let pageToken: string | undefined
  do {
    const page = await admin.changes({ prompt: name, alias, limit: 100, pageToken })
    for (const change of page.items)
      if (
        change.kind === 'alias.moved' ||
        change.kind === 'rollout.changed' ||
        change.kind === 'alias.removed'
      )
        yield change
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
}

/** The tag before and after, as a change of weights says them. */
export function readEdit({ evidence = '' }: Change): { readonly before?: string; readonly after?: string } {
  try {
    const { before, after } = JSON.parse(evidence) as Readonly<Record<string, unknown>>
    return {
      ...(typeof before === 'string' && { before }),
      ...(typeof after === 'string' && { after }),
    }
  } catch {
    return {} // ended by a run's evidence: there are none after it
  }
}

const weightsOf = (text: string | undefined, alias: string, main: number): Weights | undefined =>
  text === undefined ? undefined : readRollout({ [`${TAG.rolloutPrefix}${alias}`]: text }, alias, main)

/** The same versions have a share. */
const isAmong = (weights: Weights | undefined, others: Weights): boolean =>
  weights !== undefined &&
  weights.size === others.size &&
  [...weights.keys()].every((version) => others.has(version))
