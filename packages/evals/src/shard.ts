import type { Case } from './dataset.ts'
import { EvalFailure } from './errors.ts'

/** One of several parts of a suite's cases, each for a machine of its own. */
export interface Shard {
  /** From 1. */
  readonly index: number
  readonly of: number
}

const MOST = 1000

/**
 * Reads `2/5`.
 * @throws {EvalFailure} `CONFIGURATION`
 */
export function parseShard(text: string): Shard {
  const [, index, of] = /^(\d{1,4})\/(\d{1,4})$/.exec(text.trim()) ?? []
  const shard = { index: Number(index), of: Number(of) }
  if (!(shard.index >= 1 && shard.index <= shard.of && shard.of <= MOST))
    throw new EvalFailure(
      'CONFIGURATION',
      `a shard is i/n with 1 ≤ i ≤ n ≤ ${MOST}, such as 2/5, not ${JSON.stringify(text)}`,
    )
  return shard
}

export const shardName = ({ index, of }: Shard): string => `${index}/${of}`

/** Every n-th case, so that a dataset in order of its subjects is spread over all parts. */
export const casesOf = ({ index, of }: Shard, cases: readonly Case[]): Case[] =>
  cases.filter((_, place) => place % of === index - 1)
