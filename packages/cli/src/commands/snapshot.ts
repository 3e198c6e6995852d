import { resolve } from 'node:path'
import type { PromptInfo, PromptVersion, Registry } from '@promptkeep/client'
import { checkAliasToLoad, digestOf, suggest, TAG } from '@promptkeep/client/protocol'
import { type SnapshotEntry, snapshotFile } from '@promptkeep/client/snapshot'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { findPrompt, listAll, searchVersions } from '../find-version.ts'
import type { Io } from '../io.ts'
import {
  openAdmin,
  printJson,
  type RegistryFlags,
  registryCommand,
  withRegistry,
} from '../registry-command.ts'
import { createStyle, isoTime, oneLine, table } from '../style.ts'

interface SnapshotFlags extends RegistryFlags {
  readonly out: string
  readonly alias: readonly string[]
  readonly address?: string
}

/** Anybody may read it: in an image it is put there by one user and read by another. */
const MODE = 0o644

export const snapshot = (io: Io): Command =>
  registryCommand(
    'snapshot',
    'Write what aliases say now into a file, for apps that start while their registry is away',
    'snapshot --out prompts.snapshot.json',
    'snapshot memory greeting --alias experiment,production',
  )
    .argument('[names...]', 'prompts; default: all that have one of the aliases')
    .option('--out <file>', 'write this file', 'prompts.snapshot.json')
    .option('--alias <aliases>', 'keep what these aliases say, by commas', aliasList, ['production'])
    .option(
      '--address <url>',
      'make it for apps that ask the registry by this address (default: as asked here)',
    )
    .action((names: readonly string[], flags: SnapshotFlags) =>
      withRegistry(io, flags, async (registry) => {
        const prompts = names.length > 0 ? await findAll(registry, names) : await listAll(registry)
        const entries: SnapshotEntry[] = []
        for (const prompt of prompts)
          entries.push(...(await entriesOf(registry, prompt, flags.alias, io.now())))
        checkHeld(names, prompts, entries, flags.alias)
        const address = flags.address === undefined ? openAdmin(io, flags).address : addressOf(flags.address)
        const workspace = io.env.MLFLOW_WORKSPACE ?? ''
        await write(resolve(io.cwd, flags.out), flags.out, { address, workspace, savedAt: io.now(), entries })
        report(io, flags, address, entries)
      }),
    )

async function findAll(registry: Registry, names: readonly string[]): Promise<PromptInfo[]> {
  const prompts: PromptInfo[] = []
  for (const name of new Set(names)) prompts.push(await findPrompt(registry, name))
  return prompts
}

async function entriesOf(
  registry: Registry,
  prompt: PromptInfo,
  aliases: readonly string[],
  confirmedAt: number,
): Promise<SnapshotEntry[]> {
  const numbers = new Map<string, number>()
  for (const alias of aliases) {
    const number = alias === 'latest' ? prompt.latestVersion : prompt.aliases[alias]
    if (number !== undefined) numbers.set(alias, number)
  }
  const versions = new Map<number, PromptVersion>()
  const wanted = new Set(numbers.values())
  await searchVersions(registry, prompt.name, (version) => {
    if (wanted.has(version.version)) versions.set(version.version, version)
    return versions.size === wanted.size
  })
  const entries: SnapshotEntry[] = []
  for (const [alias, number] of numbers) {
    const version = versions.get(number)
    if (!version) throw new CliError(`${prompt.name}@${alias} changed while it was read; try again`)
    await requireUnchanged(version)
    entries.push({ alias, version, confirmedAt })
  }
  return entries
}

/** A strict app would refuse it: it is not to be baked in. */
async function requireUnchanged(version: PromptVersion): Promise<void> {
  const { name, version: number, tags, digest } = version
  const registered = tags[TAG.digest] ?? digest
  if (registered === digest && (await digestOf(version)) === digest) return
  throw new CliError(
    `${name} v${number} was changed after it was registered: its digest is ${digest}, and was ${registered}`,
  )
}

/** @throws {CliError} for a prompt that was named and has none of the aliases, and for a file that would be empty */
function checkHeld(
  names: readonly string[],
  prompts: readonly PromptInfo[],
  entries: readonly SnapshotEntry[],
  aliases: readonly string[],
): void {
  const held = new Set(entries.map(({ version }) => version.name))
  const lacking = names.filter((name) => !held.has(name))
  const hint = hintOf(
    names.length > 0 ? prompts.filter(({ name }) => lacking.includes(name)) : prompts,
    aliases,
  )
  if (lacking.length > 0)
    throw new CliError(`${lacking.join(', ')}: no alias ${aliases.join(' or ')}`, { hint })
  if (entries.length === 0)
    throw new CliError(`no prompt has the alias ${aliases.join(' or ')}: nothing was written`, { hint })
}

/** What was meant, or which aliases there are. */
function hintOf(prompts: readonly PromptInfo[], aliases: readonly string[]): string | undefined {
  const known = [...new Set(prompts.flatMap((prompt) => Object.keys(prompt.aliases)))].sort()
  const near = aliases.map((alias) => suggest(alias, known)).find((hint) => hint !== '')
  return near ?? (known.length === 0 ? undefined : `There is ${known.join(', ')}.`)
}

async function write(
  path: string,
  label: string,
  content: Parameters<ReturnType<typeof snapshotFile>['write']>[0],
) {
  try {
    await snapshotFile(path, { mode: MODE }).write(content)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new CliError(`${label}: cannot be written (${code ?? String(cause)})`, { cause })
  }
}

function report(io: Io, flags: SnapshotFlags, address: string, entries: readonly SnapshotEntry[]): void {
  const rows = entries.map(({ alias, version: { name, version, digest } }) => ({
    name,
    alias,
    version,
    digest,
  }))
  if (flags.json) {
    const savedAt = isoTime(io.now())
    printJson(io, { file: flags.out, address, savedAt, prompts: rows })
    return
  }
  const style = createStyle(io.out, io.env)
  io.out.write(
    table(rows.map(({ name, alias, version }) => [style.bold(oneLine(`${name}@${alias}`)), `v${version}`])),
  )
  io.err.write(`${flags.out}: ${rows.length} entries, for apps that ask ${address}\n`)
}

/** As the client writes it: without credentials and a slash at the end. */
function addressOf(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (!url || !/^https?:$/.test(url.protocol))
    throw new CliError(
      `--address must be an http or https address, such as http://127.0.0.1:5055; got "${given}"`,
    )
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

/** `experiment,production` */
function aliasList(text: string): readonly string[] {
  const aliases = text.split(',').map((alias) => alias.trim())
  for (const alias of aliases) checkAliasToLoad(alias, '--alias')
  return [...new Set(aliases)]
}
