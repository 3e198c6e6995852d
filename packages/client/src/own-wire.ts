import { defined } from './defined.ts'
import type { Json } from './prompt.ts'
import type { Capabilities, Change, ChangeKind, SeedOutcome, SeedResult } from './transport.ts'
import { readRecord, readString, readTime, unreadable } from './wire.ts'

/** Our own routes. */
export const OWN_ROOT = '/api/promptkeep/1.0'

/** Our servers' answer to `capabilities`. */
export function toCapabilities(wire: unknown): Capabilities {
  const it = readRecord(wire, 'capabilities')
  return {
    server: it.server === 'promptkeep' ? 'promptkeep' : 'mlflow',
    version: readString(it, 'version'),
    seed: it.seed === true,
    compareAndSet: it.compare_and_set === true,
    history: it.history === true,
    live: it.live === true,
    fleet: it.fleet === true,
  }
}

/** One row of our change log, as `toChange` of the server's JSON. */
export function toChange(wire: unknown): Change {
  const it = readRecord(wire, 'change')
  const text = (key: string) => (typeof it[key] === 'string' ? it[key] : undefined)
  const number = (key: string) => (typeof it[key] === 'number' ? it[key] : undefined)
  const change = defined({
    seq: number('seq'),
    kind: readString(it, 'kind') as ChangeKind,
    prompt: readString(it, 'prompt'),
    alias: text('alias'),
    from: number('from'),
    to: number('to'),
    newName: text('new_name'),
    digest: text('digest'),
    actor: text('actor'),
    reason: text('reason'),
    evidence: text('evidence'),
    forced: it.forced === true ? true : undefined,
    restores: number('restores'),
    at: readTime(it, 'at'),
  })
  return change as Change
}

/** A change as our server writes it. */
export function fromChange({ newName, ...rest }: Change): Record<string, Json> {
  return { ...(rest as Record<string, Json>), ...(newName !== undefined && { new_name: newName }) }
}

export function toSeedResult(wire: unknown): SeedResult {
  const it = readRecord(wire, 'seed')
  const outcome = readString(it, 'outcome')
  if (!['seeded', 'skipped', 'healed'].includes(outcome)) unreadable('outcome')
  if (it.current === undefined || it.current === null) return { outcome: outcome as SeedOutcome }
  const current = readRecord(it.current, 'current')
  if (typeof current.version !== 'number') unreadable('current.version')
  return {
    outcome: outcome as SeedOutcome,
    current: { version: current.version, digest: readString(current, 'digest') },
  }
}
