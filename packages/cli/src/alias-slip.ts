import type { Registry } from '@promptkeep/client'
import { suggest } from '@promptkeep/client/protocol'
import type { Io } from './io.ts'
import { createStyle } from './style.ts'

/** In shorter names one letter is a difference that is meant. */
const SHORTEST = 4
const PAGE = 1000

/**
 * Warns of an alias that no prompt has and that is a slip away from one that some prompt has: it would be made, and
 * nobody loads it. A first page of prompts is looked at, so it costs one request; to be asked before the alias is set.
 */
export async function warnOfSlip(io: Io, registry: Registry, alias: string): Promise<void> {
  const { items } = await registry.list({ limit: PAGE })
  const known = new Set(items.flatMap(({ aliases }) => Object.keys(aliases)))
  if (known.has(alias) || alias.length < SHORTEST) return
  // `candidate-1` and `candidate-2` are a series.
  const bare = (name: string) => name.replace(/\d+/g, '')
  const others = [...known].filter((name) => bare(name) !== bare(alias))
  const near = suggest(alias, others, 1)
  if (near === '') return
  const style = createStyle(io.err, io.env)
  io.err.write(`${style.yellow('WARN')} ${alias} is a new alias; ${near.replace('Did', 'did')}\n`)
}
