import { hasCode, type Prompt, type Registry } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { TAG } from '@promptkeep/client/protocol'
import { EvalFailure } from './errors.ts'
import type { JudgedVersion } from './evidence.ts'

/** What an alias says. */
export type Said = Pick<Prompt, 'name' | 'version' | 'digest' | 'tags'>

export interface Place {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly candidate: Said
  readonly baseline: Said | undefined
}

export const versionOf = ({ version, digest }: Said) => ({ version, digest })
export const judged = ({ name, version, digest }: Said): JudgedVersion => ({ name, version, digest })

export async function readAlias(
  registry: Pick<Registry, 'load'>,
  name: string,
  alias: string,
): Promise<Said | undefined> {
  try {
    return await registry.load(name, { alias })
  } catch (error) {
    if (hasCode(error, 'ALIAS_NOT_FOUND')) return undefined
    throw error
  }
}

/** What no run could speak for. */
export function refuseOddities({ name, from, to, candidate, baseline }: Place): void {
  if (baseline?.digest === candidate.digest)
    throw new EvalFailure(
      'CONFIGURATION',
      `v${candidate.version} (${from}) of ${name} has the very text and settings of v${baseline.version} (${to}): there is nothing to judge`,
    )
  if (candidate.tags[`${TAG.rolloutPrefix}${to}`] !== undefined)
    throw new EvalFailure(
      'CONFIGURATION',
      `v${candidate.version} of ${name} carries a rollout of ${to}, which would send users to versions that no run judged: delete its tag ${TAG.rolloutPrefix}${to} first`,
    )
}

/** A run takes its time, and was about what the aliases said before it. */
export async function requireUnchanged(registry: Pick<Registry, 'load'>, place: Place): Promise<void> {
  const { name, from, to } = place
  for (const [alias, was] of [
    [from, place.candidate],
    [to, place.baseline],
  ] as const) {
    const is = await readAlias(registry, name, alias)
    if (is?.version === was?.version && is?.digest === was?.digest) continue
    const now =
      is === undefined
        ? 'unset'
        : is.version === was?.version
          ? `v${is.version} with another text`
          : `v${is.version}`
    throw new EvalFailure(
      'CONFIGURATION',
      `${alias} of ${name} is ${now} now, and was ${was === undefined ? 'unset' : `v${was.version}`} when it was judged: nothing was moved; promote again`,
    )
  }
}

/**
 * An alias that is unset has nothing to be compared with, and thresholds alone decide. Whoever removes it first, and promotes
 * then, must not get by with that.
 */
export async function requireNeverSet(
  admin: Pick<Admin, 'capabilities' | 'changes'>,
  name: string,
  to: string,
): Promise<void> {
  if (!(await admin.capabilities()).history) return
  const [last] = (await admin.changes({ prompt: name, alias: to, limit: 1 })).items
  if (last?.kind !== 'alias.removed' || last.from === undefined) return
  const [deleted] = (await admin.changes({ prompt: name, kinds: ['prompt.deleted'], limit: 1 })).items
  // A prompt that was made anew starts anew.
  if ((deleted?.seq ?? 0) > (last.seq ?? 0)) return
  throw new EvalFailure(
    'CONFIGURATION',
    `${to} of ${name} was v${last.from} until it was removed (change ${last.seq}), and so there is nothing to compare v${last.from} with: point it there again, or promote by force`,
  )
}
