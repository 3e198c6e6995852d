import { type Change, type ChangeKind, hasCode, isAbsence, type Registry } from '@promptkeep/client'
import type { Admin, ChangeFilter } from '@promptkeep/client/admin'
import { CHANGE_KINDS, refuse, suggest } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { findPrompt, searchVersions } from '../find-version.ts'
import type { Io } from '../io.ts'
import { pointInTime, TIME_FORMS } from '../parse-time.ts'
import {
  openAdmin,
  printJson,
  type RegistryFlags,
  registryCommand,
  wholeNumber,
  withRegistry,
} from '../registry-command.ts'
import { changedSplit } from '../split.ts'
import { createStyle, isoTime, oneLine, type Style, table, when } from '../style.ts'

interface HistoryFlags extends RegistryFlags {
  readonly limit: number
  readonly pageToken?: string
  readonly kind?: readonly ChangeKind[]
  readonly alias?: string
  readonly actor?: string
  readonly since?: number
  readonly until?: number
  readonly follow?: true
}

export const history = (io: Io): Command =>
  registryCommand(
    'history',
    'Tell what happened to a prompt, or to all, newest first: versions, moves, who and why',
    'history memory --limit 5',
    'history --kind alias --alias production --since 2d',
    'history --follow',
  )
    .argument('[name]', 'prompt (default: all of them)')
    .option(
      '--kind <kinds>',
      'tell these only, such as alias.moved,prompt.deleted; alias means alias.*',
      kinds,
    )
    .option('--alias <alias>', 'tell changes of this alias only')
    .option('--actor <name>', 'tell what this token did only')
    .option('--since <time>', `tell what is not older: ${TIME_FORMS}`, pointInTime('--since', io.now))
    .option('--until <time>', 'tell what is not newer', pointInTime('--until', io.now, true))
    .option('--limit <n>', 'print as many changes, 1 to 1000', wholeNumber('--limit', 1, 1000), 20)
    .option('--page-token <token>', 'print the next page, as the page before it says')
    .option('--follow', 'print the last ones, oldest first, then each change as it happens, until Ctrl-C')
    .action((name: string | undefined, flags: HistoryFlags) =>
      withRegistry(io, flags, async (registry) => {
        const admin = openAdmin(io, flags)
        if (flags.follow) return follow(io, admin, name, flags)
        const { items, nextPageToken } = await readChanges(registry, admin, name, flags)
        const messages = name === undefined ? new Map() : await readMessages(registry, name, items)
        const { history: complete } = await admin.capabilities()
        if (flags.json) {
          const changes = items.map((change) => toJson(change, messages.get(change)))
          const prompt = name === undefined ? {} : { prompt: name }
          return printJson(io, { ...prompt, complete, changes, ...(nextPageToken && { nextPageToken }) })
        }
        const style = createStyle(io.out, io.env)
        io.out.write(table(items.map((change) => row(change, messages.get(change), name, style))))
        if (items.length === 0)
          io.err.write(
            `No ${isFiltered(flags) ? 'such ' : ''}change${name === undefined ? '' : ` of ${name}`} is recorded.\n`,
          )
        if (!complete)
          io.err.write(
            'This is a stock MLflow server: it keeps only the last move of each alias, and only moves made with promptkeep.\n',
          )
        if (nextPageToken !== undefined)
          io.err.write(
            `More: promptkeep ${['history', ...again(name, flags), '--page-token', nextPageToken].join(' ')}\n`,
          )
      }),
    )

const filterOf = (prompt: string | undefined, flags: HistoryFlags): ChangeFilter => ({
  prompt,
  kinds: flags.kind,
  alias: flags.alias,
  actor: flags.actor,
  since: flags.since,
  until: flags.until,
  limit: flags.limit,
  pageToken: flags.pageToken,
})

const isFiltered = ({ kind, alias, actor, since, until }: HistoryFlags) =>
  [kind, alias, actor, since, until].some((flag) => flag !== undefined)

/** The same question for the next page. "2h ago" would be another time by then. */
function again(
  name: string | undefined,
  { kind, alias, actor, since, until, limit, trackingUri }: HistoryFlags,
): string[] {
  const flags = Object.entries({
    kind: kind?.join(','),
    alias,
    actor,
    since: since === undefined ? undefined : isoTime(since),
    until: until === undefined ? undefined : isoTime(until),
    limit,
    'tracking-uri': trackingUri,
  })
  const given = flags.flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, String(value)]))
  return [...(name === undefined ? [] : [name]), ...given]
}

function kinds(text: string): readonly ChangeKind[] {
  return text.split(',').flatMap((given) => {
    const kind = given.trim()
    const meant = CHANGE_KINDS.filter((known) => known === kind || known.startsWith(`${kind}.`))
    if (meant.length > 0) return meant
    const near = suggest(kind, CHANGE_KINDS)
    return refuse('--kind', given, `one or more of ${CHANGE_KINDS.join(', ')}${near && ` (${near})`}`)
  })
}

/** The log is asked first: it outlives the prompt. @throws {CliError} for a prompt that never was */
async function readChanges(registry: Registry, admin: Admin, name: string | undefined, flags: HistoryFlags) {
  try {
    const changes = await admin.changes(filterOf(name, flags))
    if (
      name !== undefined &&
      changes.items.length === 0 &&
      flags.pageToken === undefined &&
      !isFiltered(flags)
    )
      await findPrompt(registry, name)
    return changes
  } catch (error) {
    if (name !== undefined && hasCode(error, 'PROMPT_NOT_FOUND')) await findPrompt(registry, name) // knows the nearest name
    throw error
  }
}

/** The last changes, then each new one, until a signal. */
async function follow(io: Io, admin: Admin, name: string | undefined, flags: HistoryFlags): Promise<void> {
  if (flags.until !== undefined || flags.pageToken !== undefined)
    throw new CliError('--follow goes on from now: it cannot be given together with --until or --page-token')
  const style = createStyle(io.out, io.env)
  const print = (change: Change) =>
    io.out.write(
      flags.json ? `${JSON.stringify(toJson(change))}\n` : table([row(change, undefined, name, style)]),
    )
  const stopping = new AbortController()
  void io.untilStopped().then(() => stopping.abort())
  // The end of the whole log first: what is written from here on is told by the stream, once it is there.
  const [newest] = (await admin.changes({ limit: 1 })).items
  const after = newest?.seq ?? 0
  const events = admin.follow({ signal: stopping.signal, after })
  await events.next()
  const { items } = await admin.changes(filterOf(name, flags))
  for (const change of items.toReversed()) if ((change.seq ?? 0) <= after) print(change)

  const isWanted = (change: Change) =>
    (name === undefined || change.prompt === name || change.newName === name) &&
    (flags.kind?.includes(change.kind) ?? true) &&
    (flags.alias ?? change.alias) === change.alias &&
    (flags.actor ?? change.actor) === change.actor
  let isLost = false
  for await (const event of events) {
    if (event.kind === 'change' && isWanted(event.change)) print(event.change)
    if (event.kind === 'lost') io.err.write(`${event.error.message}; trying again …\n`)
    if (event.kind === 'connected' && isLost) io.err.write('Connected again; nothing was missed.\n')
    if (event.kind === 'reset') io.err.write(`The log begins anew after #${event.last}: ${event.reason}\n`)
    isLost = event.kind === 'lost'
  }
}

const toJson = (change: Change, commitMessage?: string) => ({
  ...change,
  ...(commitMessage && { commitMessage }),
  at: isoTime(change.at),
})

/**
 * Commit messages belong to versions, so the log does not hold them: they are read of the versions that were registered.
 * Numbers start again when a prompt is made anew: what is older than its deletion has no message any more.
 */
async function readMessages(
  registry: Registry,
  name: string,
  changes: readonly Change[],
): Promise<ReadonlyMap<Change, string>> {
  const deletion = changes.findIndex(({ kind }) => kind === 'prompt.deleted')
  const alive = deletion < 0 ? changes : changes.slice(0, deletion)
  const registered = alive.filter(({ kind }) => kind === 'version.registered')
  const messages = new Map<Change, string>()
  if (registered.length === 0) return messages
  const oldest = Math.min(...registered.map(({ to = 0 }) => to))
  try {
    await searchVersions(registry, name, ({ version, digest, commitMessage }) => {
      const change = registered.find(({ to }) => to === version)
      if (change !== undefined && (change.digest ?? digest) === digest) messages.set(change, commitMessage)
      return version <= oldest
    })
  } catch (error) {
    if (!isAbsence(error)) throw error
  }
  return messages
}

/** @param name - Of the one prompt that was asked for: else each row says its own. */
function row(change: Change, message: string | undefined, name: string | undefined, style: Style): string[] {
  const { seq, kind, at, actor, reason, prompt } = change
  return [
    style.dim(seq === undefined ? '' : `#${seq}`),
    when(at),
    ...(name === undefined ? [style.bold(oneLine(prompt))] : []),
    kind,
    `${what(change)}${marks(change, style)}`,
    oneLine(actor ?? ''),
    oneLine(reason ?? message ?? ''),
  ]
}

function what({ kind, alias, from, to, newName, evidence }: Change): string {
  if (newName !== undefined) return `now ${oneLine(newName)}`
  if (kind === 'rollout.changed') return `${oneLine(alias ?? '')} ${changedSplit({ to, evidence })}`
  const version = (number: number | undefined) => (number === undefined ? 'unset' : `v${number}`)
  if (alias !== undefined) return `${oneLine(alias)} ${version(from)} -> ${version(to)}`
  const number = to ?? from
  return number === undefined ? '' : `v${number}`
}

/** What sets a change apart from an ordinary one. */
function marks({ kind, forced, restores, evidence }: Change, style: Style): string {
  const run = kind === 'alias.moved' ? evidence?.replace(/^runs:\//, '') : undefined
  const marks = [
    ...(forced === true ? [style.red('forced')] : []),
    ...(restores === undefined ? [] : [style.yellow(`restores #${restores}`)]),
    ...(run === undefined ? [] : [style.dim(`run ${oneLine(run).slice(0, 8)}`)]),
  ]
  return marks.length === 0 ? '' : ` (${marks.join(', ')})`
}
