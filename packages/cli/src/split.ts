import { readRollout, TAG, type Weights } from '@promptkeep/client/protocol'
import type { Style } from './style.ts'

/** Characters of a bar of 100 percent. */
const BAR = 40

/** What a rollout tag on version `own` says; `undefined` for none, and for one that no client can read. */
export const readSplit = (text: string | null | undefined, own: number): Weights | undefined =>
  typeof text === 'string' ? readRollout({ [`${TAG.rolloutPrefix}x`]: text }, 'x', own) : undefined

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
