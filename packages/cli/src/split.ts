import type { Registry } from '@promptkeep/client'
import { readRollout, TAG, type Weights } from '@promptkeep/client/protocol'
import { searchVersions } from './find-version.ts'
import type { Style } from './style.ts'

/** Characters of a bar of 100 percent. */
const BAR = 40

/** What a rollout tag on version `own` says; `undefined` for none, and for one that no client can read. */
export const readSplit = (text: string | null | undefined, own: number): Weights | undefined =>
  typeof text === 'string' ? readRollout({ [`${TAG.rolloutPrefix}x`]: text }, 'x', own) : undefined

/** How an alias that is at `version` is shared; `undefined`: it is not, or that version is gone. */
export async function splitAt(
  registry: Registry,
  { name, alias, version }: { readonly name: string; readonly alias: string; readonly version: number },
): Promise<Weights | undefined> {
  const found = await searchVersions(registry, name, (one) => one.version === version)
  return readSplit(found?.tags[`${TAG.rolloutPrefix}${alias}`], version)
}

interface LeftSplit {
  readonly alias: string
  /** Where the alias was, and how it was shared there. */
  readonly from: number
  readonly weights: Weights
  /** Where the alias goes; absent: to what will be registered. */
  readonly to?: number | undefined
  /** `to` has weights of its own. */
  readonly isShared?: boolean
  readonly dryRun?: boolean | undefined
}

/** What a move away from a shared version does: the weights stay on it, out of force. */
export function leftSplitWords({ alias, from, weights, to, isShared, dryRun }: LeftSplit): string {
  const whole = to === undefined ? 'the new version' : `v${to}`
  const [is, then, back] = dryRun
    ? ['is', 'then', 'would be in force again if']
    : ['was', 'now', 'is in force again if']
  const now = isShared ? '' : `; ${then} all get ${whole}`
  const returns = dryRun ? 'returned' : 'returns'
  return `v${from} ${is} shared (${splitWords(weights)})${now}. It ${back} ${alias} ${returns} to v${from}.`
}

const byVersion = (weights: Weights) => [...weights].sort(([a], [b]) => a - b)

/** `v5 90 %, v6 10 %` */
export const splitWords = (weights: Weights): string =>
  byVersion(weights)
    .map(([version, share]) => `v${version} ${share} %`)
    .join(', ')

/** A row for each version: its number, its share, and the share as a bar. */
export const splitRows = (weights: Weights, style: Style): readonly (readonly string[])[] =>
  byVersion(weights).map(([version, share]) => [
    style.bold(`v${version}`),
    `${share} %`.padStart(7),
    // What gets something is never without a bar.
    style.cyan('█'.repeat(share === 0 ? 0 : Math.max(1, Math.round((share * BAR) / 100)))),
  ])

/** What a change of a rollout made of it. */
export function changedSplit(change: {
  readonly to?: number | undefined
  readonly evidence?: string | undefined
}): string {
  const { to = 0, evidence } = change

  const after = textAfter(evidence)
  const weights = readSplit(after, to)
  if (weights !== undefined) return splitWords(weights)
  return after === null || after === undefined ? `v${to} 100 %` : `v${to}, weights that cannot be read`
}

function textAfter(evidence: string | undefined): string | null | undefined {
  try {
    return (JSON.parse(evidence ?? '') as { readonly after?: string | null }).after
  } catch {
    return undefined
  }
}
