import {
  type Change,
  hasCode,
  isAbsence,
  type Page,
  type PageRequest,
  type Registry,
} from '@promptkeep/client'
import type { Command } from 'commander'
import { findPrompt, searchVersions } from '../find-version.ts'
import type { Io } from '../io.ts'
import {
  printJson,
  type RegistryFlags,
  registryCommand,
  wholeNumber,
  withRegistry,
} from '../registry-command.ts'
import { createStyle, isoTime, oneLine, type Style, table, when } from '../style.ts'

interface HistoryFlags extends RegistryFlags {
  readonly limit: number
  readonly pageToken?: string
}

export const history = (io: Io): Command =>
  registryCommand(
    'history',
    'Tell what happened to a prompt, newest first: versions, moves, who and why',
    'history memory --limit 5',
  )
    .argument('<name>', 'prompt')
    .option('--limit <n>', 'print as many changes, 1 to 1000', wholeNumber('--limit', 1, 1000), 20)
    .option('--page-token <token>', 'print the next page, as the page before it says')
    .action((name: string, flags: HistoryFlags) =>
      withRegistry(io, flags, async (registry) => {
        const { limit, pageToken } = flags
        const { items, nextPageToken } = await readChanges(registry, name, { limit, pageToken })
        const messages = await readMessages(registry, name, items)
        const { history: complete } = await registry.capabilities()
        if (flags.json) {
          const changes = items.map((change) => {
            const commitMessage = messages.get(change)
            return { ...change, ...(commitMessage && { commitMessage }), at: isoTime(change.at) }
          })
          return printJson(io, { prompt: name, complete, changes, ...(nextPageToken && { nextPageToken }) })
        }
        const style = createStyle(io.out, io.env)
        io.out.write(table(items.map((change) => row(change, messages.get(change), style))))
        if (items.length === 0) io.err.write(`No change of ${name} is recorded.\n`)
        if (!complete)
          io.err.write(
            'This is a stock MLflow server: it keeps only the last move of each alias, and only moves made with promptkeep.\n',
          )
        if (nextPageToken !== undefined)
          io.err.write(`More: promptkeep history ${name} --limit ${limit} --page-token ${nextPageToken}\n`)
      }),
    )

/** The log is asked first: it outlives the prompt. @throws {CliError} for a prompt that never was */
async function readChanges(registry: Registry, name: string, page: PageRequest): Promise<Page<Change>> {
  try {
    const changes = await registry.changes(name, page)
    if (changes.items.length === 0 && page.pageToken === undefined) await findPrompt(registry, name)
    return changes
  } catch (error) {
    if (hasCode(error, 'PROMPT_NOT_FOUND')) await findPrompt(registry, name) // knows the nearest name
    throw error
  }
}

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

function row(change: Change, message: string | undefined, style: Style): string[] {
  const { seq, kind, at, actor, reason } = change
  return [
    style.dim(seq === undefined ? '' : `#${seq}`),
    when(at),
    kind,
    what(change),
    oneLine(actor ?? ''),
    oneLine(reason ?? message ?? ''),
  ]
}

function what({ alias, from, to, newName }: Change): string {
  if (newName !== undefined) return `now ${oneLine(newName)}`
  const version = (number: number | undefined) => (number === undefined ? 'unset' : `v${number}`)
  if (alias !== undefined) return `${oneLine(alias)} ${version(from)} -> ${version(to)}`
  const number = to ?? from
  return number === undefined ? '' : `v${number}`
}
