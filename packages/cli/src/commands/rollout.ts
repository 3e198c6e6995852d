import { type Change, Conflict, hasCode, type PromptVersion, type Registry } from '@promptkeep/client'
import {
  checkName,
  checkWeights,
  isEmptyTemplate,
  mainVersion,
  refuse,
  TAG,
  type Weights,
} from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { warnOfSlip } from '../alias-slip.ts'
import { CliError } from '../cli-error.ts'
import { movedAway } from '../conflict.ts'
import { findPrompt, findVersion } from '../find-version.ts'
import type { Io } from '../io.ts'
import {
  aliasName,
  expectedVersion,
  openAdmin,
  printJson,
  type RegistryFlags,
  registryCommand,
  versionNumber,
  withRegistry,
} from '../registry-command.ts'
import { readSplit, splitRows, splitWords } from '../split.ts'
import { createStyle, isoTime, oneLine, table } from '../style.ts'

interface RolloutFlags extends RegistryFlags {
  readonly alias: string
  readonly end?: number | true
  readonly reason?: string
  readonly evidence?: string
  readonly expect?: number | 'none'
  readonly force?: true
  readonly dryRun?: true
}

export const rollout = (io: Io): Command =>
  registryCommand(
    'rollout',
    'Share an alias among versions, show how it is shared, or end that; a key sticks to its version',
    'rollout memory 5=90 6=10 --reason "a first look"',
    'rollout memory',
    'rollout memory --end 6 --reason "it won"',
  )
    .argument('<name>', 'prompt')
    .argument('[shares...]', 'VERSION=PERCENT for each version, 100 in all; none: show the present split')
    .option('--alias <alias>', 'share this one', aliasName('--alias'), 'production')
    .option(
      '--end [version]',
      'give all to this version (default: the one that the alias points at)',
      versionNumber('--end'),
    )
    .option('--reason <text>', 'keep this in the history')
    .option(
      '--evidence <run>',
      'show the eval run that judged the version which gets all, where the policy asks for one',
    )
    .option(
      '--expect <version>',
      'refuse unless the alias is at this version now ("none": unset)',
      expectedVersion,
    )
    .option('--force', 'set it against its policy: needs an admin and --reason, and is marked in the history')
    .option('--dry-run', 'say what would be, and change nothing')
    .action((name: string, shares: readonly string[], flags: RolloutFlags) => {
      checkName(name)
      const given = shares.length > 0 ? readShares(shares) : undefined
      if (given !== undefined && flags.end !== undefined)
        throw new CliError('--end gives all to one version: it cannot be given together with shares')
      if (flags.force && !flags.reason?.trim())
        throw new CliError('--force needs --reason: the history keeps why the policy was set aside')
      return withRegistry(io, flags, async (registry) => {
        const before = await presentSplit(registry, name, flags.alias)
        if (given === undefined && flags.end === undefined)
          return show(io, registry, { name, before, ...flags })
        const weights = given ?? endAt(name, before, flags)
        await requireServable(registry, name, weights)
        if (before.main === undefined) await warnOfSlip(io, registry, flags.alias)
        const changes = flags.dryRun
          ? rehearse(name, before, flags)
          : await perform(io, { name, before, weights, flags })
        tell(io, { name, before, weights, changes, flags })
      })
    })

/** `5=90`, also as the command prints it: `v5=90%`. */
function readShares(shares: readonly string[]): Weights {
  const weights = new Map<number, number>()
  for (const text of shares) {
    const [, version = '', share = ''] =
      /^(v?\d+)=(\d+(?:\.\d+)?)%?$/.exec(text) ?? refuse('a share', text, 'VERSION=PERCENT, such as 6=10')
    const number = versionNumber('a version')(version)
    if (weights.has(number)) throw new CliError(`version ${number} was given twice`)
    weights.set(number, Number(share))
  }
  return checkWeights(weights, 'the shares')
}

interface Present {
  /** The version that the alias points at; absent while it is unset. */
  readonly main?: PromptVersion
  /** Only where it is shared. */
  readonly weights?: Weights
  /** What the tag says, where that cannot be read. */
  readonly unreadable?: string
}

async function presentSplit(registry: Registry, name: string, alias: string): Promise<Present> {
  const number = (await findPrompt(registry, name)).aliases[alias]
  if (number === undefined) return {}
  const main = await findVersion(registry, `${name}/${number}`)
  const text = main.tags[`${TAG.rolloutPrefix}${alias}`]
  const weights = readSplit(text, number)
  return { main, ...(weights ? { weights } : text !== undefined && { unreadable: text }) }
}

function endAt(name: string, { main }: Present, { alias, end }: RolloutFlags): Weights {
  const version = typeof end === 'number' ? end : main?.version
  if (version === undefined)
    throw new CliError(`"${name}" has no alias "${alias}", so there is nothing to end`, {
      hint: `Give it a version: promptkeep alias ${name} ${alias} VERSION`,
    })
  return new Map([[version, 100]])
}

/** Before anything is written: whoever got one that is not there, or says nothing, would fall back. */
async function requireServable(registry: Registry, name: string, weights: Weights): Promise<void> {
  for (const version of weights.keys())
    if (isEmptyTemplate((await findVersion(registry, `${name}/${version}`)).template))
      throw new CliError(`"${name}" v${version} has no text: whoever got it would fall back`)
}

async function show(
  io: Io,
  registry: Registry,
  { name, alias, json, before }: RolloutFlags & { readonly name: string; readonly before: Present },
): Promise<void> {
  const { main, weights, unreadable } = before
  if (main === undefined) {
    const has = Object.keys((await findPrompt(registry, name)).aliases).join(', ')
    throw new CliError(`prompt "${name}" has no alias "${alias}"; it has ${has || 'none'}`)
  }
  const split = weights ?? new Map([[main.version, 100]])
  const missing = await missingOf(registry, name, split)
  if (json) {
    const shares = Object.fromEntries(split)
    return printJson(io, {
      prompt: name,
      alias,
      version: main.version,
      weights: shares,
      ...(missing.length > 0 && { missing }),
    })
  }
  io.out.write(`${name}@${alias}\n${table(splitRows(split, createStyle(io.out, io.env)))}`)
  if (weights === undefined && unreadable === undefined)
    io.err.write(`It is not shared: v${main.version} gets all.\n`)
  if (unreadable !== undefined)
    io.err.write(
      `WARN  its tag ${TAG.rolloutPrefix}${alias} on v${main.version} cannot be read, so v${main.version} gets all: ${oneLine(unreadable)}\n`,
    )
  for (const version of missing)
    io.err.write(`WARN  v${version} is not there any more: whoever is to get it gets v${main.version}\n`)
}

/** A version may be deleted while it has a share. */
async function missingOf(registry: Registry, name: string, weights: Weights): Promise<number[]> {
  const missing = new Set(weights.keys())
  let pageToken: string | undefined
  do {
    const page = await registry.versions(name, { limit: 1000, pageToken })
    for (const { version } of page.items) missing.delete(version)
    pageToken = missing.size > 0 ? page.nextPageToken : undefined
  } while (pageToken !== undefined)
  return [...missing]
}

interface Work {
  readonly name: string
  readonly before: Present
  readonly weights: Weights
  readonly flags: RolloutFlags
}

function rehearse(name: string, { main }: Present, { alias, expect }: RolloutFlags): readonly Change[] {
  const current = main?.version
  if (expect !== undefined && expect !== (current ?? 'none'))
    throw unexpected(name, alias, expect, new Conflict('', current ?? null))
  return []
}

async function perform(io: Io, { name, weights, flags }: Work): Promise<readonly Change[]> {
  const { alias, reason, evidence, expect, force } = flags
  const expected = expect === 'none' ? null : expect
  try {
    return await openAdmin(io, flags).rollout({ name, alias, weights, reason, evidence, expected, force })
  } catch (error) {
    throw hasCode(error, 'CONFLICT') && expect !== undefined ? unexpected(name, alias, expect, error) : error
  }
}

function tell(
  io: Io,
  { name, before, weights, changes, flags }: Work & { readonly changes: readonly Change[] },
): void {
  const { alias, dryRun = false } = flags
  const from = before.main?.version
  const to = mainVersion(weights, from)
  if (flags.json) {
    const rows = changes.map((change) => ({ ...change, at: isoTime(change.at) }))
    const shares = Object.fromEntries(weights)
    printJson(io, { prompt: name, alias, from, version: to, weights: shares, dryRun, changes: rows })
    return
  }
  const was = before.weights ? splitWords(before.weights) : from === undefined ? 'unset' : `v${from}`
  const marks = [
    `was ${was}`,
    ...changes.flatMap(({ seq }, i) => (seq === undefined || i > 0 ? [] : [`change #${seq}`])),
    ...(changes.some(({ forced }) => forced) ? ['forced'] : []),
    ...(dryRun ? ['dry run: nothing changed'] : changes.length === 0 ? ['nothing to change'] : []),
  ]
  io.out.write(`${name}@${alias}: ${splitWords(weights)}  (${marks.join(', ')})\n`)
  if (from !== undefined && from !== to && !dryRun)
    io.err.write(`The alias is at v${to} now: who loads without a key gets that.\n`)
}

function unexpected(name: string, alias: string, expect: number | 'none', conflict: unknown): CliError {
  return new CliError(
    `${movedAway(alias, name, conflict)}, not as --expect ${expect} says; nothing changed`,
    {
      exitCode: 1,
      hint: `See who moved it: promptkeep history ${name}; then give --expect the version it is at.`,
      cause: conflict,
    },
  )
}
