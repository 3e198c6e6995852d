import { Conflict, hasCode, type Registry } from '@promptkeep/client'
import { TAG, type Weights } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { warnOfSlip } from '../alias-slip.ts'
import { CliError } from '../cli-error.ts'
import { movedAway } from '../conflict.ts'
import { findPrompt, findVersion } from '../find-version.ts'
import type { Io } from '../io.ts'
import {
  aliasName,
  expectedVersion,
  printJson,
  type RegistryFlags,
  registryCommand,
  versionNumber,
  withRegistry,
} from '../registry-command.ts'
import { leftSplitWords, readSplit, splitAt, splitWords } from '../split.ts'

interface AliasFlags extends RegistryFlags {
  readonly expect?: number | 'none'
  readonly reason?: string
  readonly evidence?: string
  readonly force?: true
  readonly dryRun?: true
}

export const alias = (io: Io): Command =>
  registryCommand(
    'alias',
    'Point an alias at a version; clients follow without a restart',
    'alias memory production 4 --reason "warmer tone"',
    'alias memory production 3 --expect 4',
    'alias memory production 4 --reason "passed" --evidence 3f2a91c04e5b4d7f8a6b1c2d3e4f5a6b',
  )
    .argument('<name>', 'prompt')
    .argument('<alias>', 'such as production', aliasName('alias'))
    .argument('<version>', 'version number', versionNumber('version'))
    .option(
      '--expect <version>',
      'refuse unless the alias is at this version now ("none": unset)',
      expectedVersion,
    )
    .option('--reason <text>', 'keep this in the history')
    .option('--evidence <run>', 'show the eval run that judged this version, where the policy asks for one')
    .option('--force', 'set it against its policy: needs an admin and --reason, and is marked in the history')
    .option('--dry-run', 'say what would move, and move nothing')
    .action((name: string, moved: string, version: number, flags: AliasFlags) => {
      if (flags.force && !flags.reason?.trim())
        throw new CliError('--force needs --reason: the history keeps why the policy was set aside')
      return withRegistry(io, flags, async (registry) => {
        const was = await leave(registry, name, moved, version)
        if (was.from === undefined) await warnOfSlip(io, registry, moved)
        const { tags, ...move } = flags.dryRun
          ? await rehearse(registry, name, moved, version, was, flags.expect)
          : await perform(registry, name, moved, version, flags)
        // Another one may have moved it meanwhile: what was read is not what was left.
        const left = move.from === was.from ? was.left : undefined
        if (flags.json)
          return printJson(io, { prompt: name, alias: moved, ...move, dryRun: flags.dryRun === true })
        const from = move.from === undefined ? 'unset' : `v${move.from}`
        io.out.write(
          `${name}@${moved}: ${from} -> v${move.to}${flags.dryRun ? '  (dry run: nothing moved)' : move.forced ? '  (forced)' : ''}\n`,
        )
        const weights = readSplit(tags[`${TAG.rolloutPrefix}${moved}`], version)
        if (left !== undefined && move.from !== undefined)
          io.err.write(
            `${leftSplitWords({ alias: moved, from: move.from, weights: left, to: version, isShared: weights !== undefined, dryRun: flags.dryRun })}\n`,
          )
        if (weights !== undefined)
          io.err.write(
            `v${version} brings its rollout: ${splitWords(weights)}. End it: promptkeep rollout ${name} --alias ${moved} --end\n`,
          )
      })
    })

interface Moved {
  readonly from?: number | undefined
  readonly to: number
  /** Of the version. */
  readonly tags: Readonly<Record<string, string>>
  /** Against its policy. */
  readonly forced?: true
}

async function perform(
  registry: Registry,
  name: string,
  alias: string,
  to: number,
  { expect, reason, evidence, force }: AliasFlags,
): Promise<Moved> {
  const { tags } = await findVersion(registry, `${name}/${to}`)
  const change = await registry
    .setAlias(name, alias, to, {
      ...(expect === undefined ? {} : { expected: expect === 'none' ? null : expect }),
      reason,
      evidence,
      force,
    })
    .catch((error: unknown) => {
      throw hasCode(error, 'CONFLICT') && expect !== undefined
        ? unexpected(name, alias, expect, error)
        : error
    })
  return { from: change.from, to, tags, ...(change.forced && { forced: true }) }
}

interface Left {
  readonly from?: number | undefined
  /** How the alias is shared there. */
  readonly left?: Weights | undefined
}

/** Where the alias is before it moves to `to`. */
async function leave(registry: Registry, name: string, alias: string, to: number): Promise<Left> {
  const from = (await findPrompt(registry, name)).aliases[alias]
  if (from === undefined || from === to) return { from }
  return { from, left: await splitAt(registry, { name, alias, version: from }) }
}

async function rehearse(
  registry: Registry,
  name: string,
  alias: string,
  to: number,
  { from }: Left,
  expect: AliasFlags['expect'],
): Promise<Moved> {
  const { tags } = await findVersion(registry, `${name}/${to}`)
  if (expect !== undefined && expect !== (from ?? 'none'))
    throw unexpected(name, alias, expect, new Conflict('', from ?? null))
  return { from, to, tags }
}

function unexpected(name: string, alias: string, expect: number | 'none', conflict: unknown): CliError {
  return new CliError(`${movedAway(alias, name, conflict)}, not as --expect ${expect} says; nothing moved`, {
    exitCode: 1,
    hint: `See who moved it: promptkeep history ${name}; then give --expect the version it is at.`,
    cause: conflict,
  })
}
