import { type Change, Conflict, hasCode } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { checkName } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { movedAway } from '../conflict.ts'
import { findPrompt } from '../find-version.ts'
import type { Io } from '../io.ts'
import {
  aliasName,
  expectedVersion,
  openAdmin,
  printJson,
  type RegistryFlags,
  registryCommand,
  wholeNumber,
  withRegistry,
} from '../registry-command.ts'
import { changedSplit } from '../split.ts'
import { isoTime } from '../style.ts'

interface RollbackFlags extends RegistryFlags {
  readonly alias?: string
  readonly toSeq?: number
  readonly reason?: string
  readonly expect?: number | 'none'
  readonly force?: true
  readonly dryRun?: true
}

export const rollback = (io: Io): Command =>
  registryCommand(
    'rollback',
    'Bring back what an alias said before its last change, or at any row of the history',
    'rollback memory --reason "answers got longer"',
    'rollback memory --to-seq 12 --reason "back to Monday" --expect 4',
  )
    .argument('<name>', 'prompt')
    .option(
      '--alias <alias>',
      "point this one (default: the alias of --to-seq's row, else production)",
      aliasName('--alias'),
    )
    .option(
      '--to-seq <n>',
      'bring back the state of this change, as history numbers them',
      wholeNumber('--to-seq', 1, Number.MAX_SAFE_INTEGER),
    )
    .option('--reason <text>', 'say why: the history keeps it')
    .option(
      '--expect <version>',
      'refuse unless the alias is at this version now ("none": unset)',
      expectedVersion,
    )
    .option('--force', 'bring it back against its policy: needs an admin, and is marked in the history')
    .option('--dry-run', 'say what would come back, and change nothing')
    .action(async (name: string, flags: RollbackFlags) => {
      checkName(name)
      const { reason, dryRun = false } = flags
      if (!dryRun && !reason?.trim())
        throw new CliError('--reason is missing: the history keeps why it was rolled back')
      const admin = openAdmin(io, flags)
      const work = dryRun ? rehearse(admin, name, flags) : perform(admin, name, flags)
      const changes = await work.catch((error: unknown) => explain(io, name, flags, error))
      if (flags.json) {
        const rows = changes.map((change) => ({ ...change, at: isoTime(change.at) }))
        return printJson(io, { prompt: name, dryRun, changes: rows })
      }
      for (const { kind, prompt, alias } of changes)
        if (kind === 'alias.removed')
          io.err.write(
            `${prompt} has no alias ${alias} ${dryRun ? 'then' : 'now'}, as before it was first set: who loads it gets an error, or a default.\n` +
              (dryRun ? '' : `Undo: promptkeep rollback ${prompt} --alias ${alias} --reason "…"\n`),
          )
      for (const change of changes)
        io.out.write(`${words(change)}${dryRun ? '  (dry run: nothing moved)' : ''}\n`)
    })

const perform = (admin: Admin, name: string, { alias, toSeq, reason = '', expect, force }: RollbackFlags) =>
  admin.rollback({ name, alias, toSeq, reason, expected: expect === 'none' ? null : expect, force })

/** What `perform` would do, from the log: nothing is asked of the server but to read. */
async function rehearse(
  admin: Admin,
  name: string,
  { toSeq, expect, ...flags }: RollbackFlags,
): Promise<Change[]> {
  const { history, version } = await admin.capabilities()
  if (toSeq !== undefined && !history)
    throw new CliError(`--to-seq: ${admin.address} is a stock MLflow server (${version}), which keeps no log`)
  const rows = await rowsOf(admin, name)
  const wanted = rows.find(({ seq }) => seq === toSeq)
  if (toSeq !== undefined && wanted === undefined)
    throw new CliError(`"${name}" has no change #${toSeq}`, {
      hint: `Its changes: promptkeep history ${name}`,
    })
  const alias = flags.alias ?? wanted?.alias ?? 'production'
  const ofAlias = rows.filter((row) => row.alias === alias && !isIdle(row))
  const [last, before] = ofAlias
  if (last === undefined)
    throw new CliError(`alias "${alias}" of "${name}" was never set, so there is nothing to undo`)
  const current = (await admin.resolve([name], { alias })).prompts[0]?.version
  if (expect !== undefined && expect !== (current ?? 'none')) throw new Conflict('', current ?? null)
  const same = { prompt: name, alias, at: last.at, ...(current !== undefined && { from: current }) }
  if (toSeq === undefined && last.kind === 'rollout.changed' && last.restores === undefined)
    return [{ ...same, kind: 'rollout.changed', ...defined({ restores: before?.seq }) }]
  const moves = ofAlias.filter(({ kind }) => kind !== 'rollout.changed')
  const restored = toSeq === undefined ? moves[1] : moves.find(({ seq = 0 }) => seq <= toSeq)
  const to = toSeq === undefined ? moves[0]?.from : restored?.to
  const restores = defined({ restores: toSeq ?? restored?.seq })
  if (to === undefined && current !== undefined) return [{ ...same, kind: 'alias.removed', ...restores }]
  if (to !== undefined && to !== current) return [{ ...same, kind: 'alias.moved', to, ...restores }]
  const isSplit = ofAlias.some(({ kind, seq = 0 }) => kind === 'rollout.changed' && seq > (toSeq ?? 0))
  if (isSplit && to !== undefined) return [{ ...same, kind: 'rollout.changed', to, ...restores }]
  throw new CliError(`alias "${alias}" of "${name}" says that already: there is nothing to roll back`, {
    exitCode: 1,
  })
}

/** A move to where the alias was already is nothing to undo; a rollback that only brought back weights is. */
const isIdle = ({ kind, from, to, restores }: Change) =>
  kind === 'alias.moved' && from === to && restores === undefined

const defined = <T extends object>(object: { [K in keyof T]: T[K] | undefined }): Partial<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>

/** Newest first, without those of an earlier prompt of this name. */
async function rowsOf(admin: Admin, name: string): Promise<Change[]> {
  const rows: Change[] = []
  let pageToken: string | undefined
  do {
    const page = await admin.changes({ prompt: name, limit: 1000, pageToken })
    const deleted = page.items.findIndex(({ kind }) => kind === 'prompt.deleted')
    rows.push(...(deleted < 0 ? page.items : page.items.slice(0, deleted)))
    pageToken = deleted < 0 ? page.nextPageToken : undefined
  } while (pageToken !== undefined)
  return rows
}

function words({ kind, prompt, alias = '', from, to, seq, restores, forced, evidence }: Change): string {
  const version = (number: number | undefined) => (number === undefined ? 'unset' : `v${number}`)
  const edited = { 'rollout.changed': 'rollout', 'config.edited': 'model config' } as Record<string, string>
  const what =
    kind === 'rollout.changed' && evidence !== undefined
      ? changedSplit({ to, evidence })
      : edited[kind] === undefined
        ? `${version(from)} -> ${version(to)}`
        : `${edited[kind]} of v${to ?? from}`
  const marks = [
    ...(seq === undefined ? [] : [`change #${seq}`]),
    ...(restores === undefined ? [] : [`restores #${restores}`]),
    ...(forced ? ['forced'] : []),
  ]
  return `${prompt}${alias && `@${alias}`}: ${what}${marks.length === 0 ? '' : `  (${marks.join(', ')})`}`
}

async function explain(io: Io, name: string, flags: RollbackFlags, error: unknown): Promise<never> {
  if (hasCode(error, 'PROMPT_NOT_FOUND'))
    await withRegistry(io, flags, (registry) => findPrompt(registry, name)) // knows the nearest name
  const { expect } = flags
  const current = error instanceof Error && 'current' in error ? (error.current ?? 'none') : undefined
  // The server names its field; a person looks for the flag that they gave.
  if (hasCode(error, 'INVALID_INPUT') && (error as Error).message.includes('to_seq'))
    throw new CliError((error as Error).message.replace('to_seq', '--to-seq'), {
      hint: `Its changes: promptkeep history ${name}`,
      cause: error,
    })
  // A conflict is also that there is nothing to bring back.
  if (!hasCode(error, 'CONFLICT') || expect === undefined || current === expect) throw error
  const where = movedAway(flags.alias ?? 'production', name, error)
  throw new CliError(`${where}, not as --expect ${expect} says; nothing moved`, {
    exitCode: 1,
    hint: `See who moved it: promptkeep history ${name}`,
    cause: error,
  })
}
