import type { Change } from '@promptkeep/client'
import type { Admin, Resolution, ResolvedPrompt } from '@promptkeep/client/admin'
import { checkAliasToLoad, checkName } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { findPrompt } from '../find-version.ts'
import type { Io } from '../io.ts'
import { pointInTime, TIME_FORMS } from '../parse-time.ts'
import {
  openAdmin,
  printJson,
  type RegistryFlags,
  registryCommand,
  withRegistry,
} from '../registry-command.ts'
import { readSplit, splitWords } from '../split.ts'
import { createStyle, isoTime, oneLine, printable, type Style, table, when } from '../style.ts'
import { templateText } from '../template-text.ts'

interface ResolveFlags extends RegistryFlags {
  readonly alias: readonly string[]
  readonly at?: number
  readonly text?: true
}

/** Enough of a digest to tell two apart. */
const SHORT = 12

export const resolve = (io: Io): Command =>
  registryCommand(
    'resolve',
    'Tell what prompts say, now or at another time: version, digest, since when and by whom',
    'resolve memory memory-write --alias experiment,production',
    'resolve memory --at 14:03',
    'resolve memory --at 2d --text > memory-then.txt',
  )
    .argument('<names...>', 'prompts')
    .option('--alias <chain>', 'ask for this alias, or the first of several that a prompt has', chain, [
      'production',
    ])
    .option('--at <time>', `tell what they said then: ${TIME_FORMS}`, pointInTime('--at', io.now))
    .option('--text', 'print the text alone, for a pipe')
    .action(async (names: string[], flags: ResolveFlags) => {
      for (const name of names) checkName(name)
      const { alias, at } = flags
      if (at !== undefined && at > io.now()) throw new CliError(`--at ${isoTime(at)} is still to come`)
      const admin = openAdmin(io, flags)
      const found = await withSince(admin, await admin.resolve(names, { alias, at }), at)
      if (flags.json) printJson(io, toJson(found))
      else print(io, found, { ...flags, isOne: names.length === 1 })
      if (found.missing.length > 0) await tellMissing(io, found, flags)
    })

function chain(text: string): readonly string[] {
  const aliases = text.split(',').map((alias) => alias.trim())
  for (const alias of aliases) checkAliasToLoad(alias, '--alias')
  return aliases
}

/** Of the present the answer does not say since when: the log does. */
async function withSince(admin: Admin, found: Resolution, at: number | undefined): Promise<Resolution> {
  if (at !== undefined) return found
  const prompts: ResolvedPrompt[] = []
  for (const prompt of found.prompts) {
    const { name, alias, version } = prompt
    const asked = { prompt: name, alias, kinds: ['alias.moved'], limit: 1 } as const
    const since = alias === 'latest' ? undefined : (await admin.changes(asked)).items[0]
    prompts.push({ ...prompt, ...(since?.to === version && { since }) })
  }
  return { ...found, prompts }
}

function print(
  io: Io,
  { prompts, at }: Resolution,
  { text, isOne }: Pick<ResolveFlags, 'text'> & { readonly isOne: boolean },
): void {
  const style = createStyle(io.out, io.env)
  const only = isOne ? prompts[0] : undefined
  if (text) {
    for (const prompt of prompts) io.out.write(`${textOf(prompt, io)}\n`)
    return
  }
  if (at !== undefined && prompts.length > 0) io.err.write(`At ${toTheSecond(at)}:\n`)
  if (only) io.out.write(`${header(only, style)}\n${textOf(only, io)}\n`)
  else if (prompts.length > 0)
    io.out.write(
      table([
        ['NAME', 'ALIAS', 'VERSION', 'DIGEST', 'SINCE', 'BY', 'WHY'].map(style.dim),
        ...prompts.map(({ name, alias, version, digest, since }) => [
          style.bold(oneLine(name)),
          style.cyan(oneLine(alias)),
          `v${version}`,
          digest?.slice(0, SHORT) ?? '-',
          since === undefined ? '-' : when(since.at),
          oneLine(since?.actor ?? '-'),
          oneLine(since?.reason ?? ''),
        ]),
      ]),
    )
}

function header({ name, alias, version, digest, rollout, since }: ResolvedPrompt, style: Style): string {
  const lines: [string, string][] = [
    ['prompt', `${style.bold(`${name} v${version}`)}  ${style.cyan(oneLine(alias))}`],
    ...(since === undefined ? [] : [['since', sinceText(since)] as [string, string]]),
    ...(rollout === undefined ? [] : [['rollout', rolloutText(rollout, version)] as [string, string]]),
    ...(digest === undefined ? [] : [['digest', digest] as [string, string]]),
  ]
  return lines.map(([label, value]) => `${style.dim(label.padEnd(8))} ${value}\n`).join('')
}

/** Weights that no client can read are shown as they are: they do nothing. */
function rolloutText(text: string, version: number): string {
  const weights = readSplit(text, version)
  return weights === undefined ? oneLine(text) : splitWords(weights)
}

function sinceText({ at, actor, reason, seq, forced, restores }: Change): string {
  const marks = [
    ...(seq === undefined ? [] : [`change #${seq}`]),
    ...(restores === undefined ? [] : [`restores #${restores}`]),
    ...(forced ? ['forced'] : []),
  ]
  const by = actor === undefined ? '' : ` by ${oneLine(actor)}`
  return `${when(at)}${by}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}${reason === undefined ? '' : `  ${oneLine(reason)}`}`
}

/** A time that was asked for: "30s ago" is not a whole minute. */
const toTheSecond = (at: number) => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** On a terminal the text is shown safely; a pipe gets it as it is. */
function textOf({ name, version, content }: ResolvedPrompt, io: Io): string {
  if (content === undefined) throw new CliError(`the text of ${name} v${version} was not kept`)
  const text = templateText(content.template)
  return io.out.isTty ? printable(text) : text
}

const toJson = ({ seq, at, prompts, missing }: Resolution) => ({
  ...(seq !== undefined && { seq }),
  ...(at !== undefined && { at: isoTime(at) }),
  prompts: prompts.map(({ content, since, ...prompt }) => ({
    ...prompt,
    ...(since && { since: { ...since, at: isoTime(since.at) } }),
    ...(content && {
      template: content.template,
      ...(content.modelConfig && { modelConfig: content.modelConfig }),
      ...(content.responseFormat && { responseFormat: content.responseFormat }),
    }),
  })),
  missing,
})

/** Exit 2 where nothing answers, as of a command that names what is not there; 1 where some of it does. */
async function tellMissing(io: Io, { prompts, missing }: Resolution, flags: ResolveFlags): Promise<void> {
  const then = flags.at === undefined ? '' : ` at ${toTheSecond(flags.at)}`
  const aliases = flags.alias.map((alias) => `"${alias}"`).join(', ')
  const lines = missing.map(({ name, code }) =>
    code === 'PROMPT_NOT_FOUND'
      ? `there ${then ? 'was' : 'is'} no prompt "${name}"${then}`
      : `prompt "${name}" ${then ? 'had' : 'has'} ${flags.alias.length === 1 ? 'no alias' : 'none of the aliases'} ${aliases}${then}`,
  )
  const [lost] = missing.filter(({ code }) => code === 'PROMPT_NOT_FOUND')
  if (lost !== undefined && flags.at === undefined && prompts.length === 0 && missing.length === 1)
    await withRegistry(io, flags, (registry) => findPrompt(registry, lost.name)) // knows the nearest name
  throw new CliError(lines.join('\n       '), { exitCode: prompts.length === 0 ? 2 : 1 })
}
