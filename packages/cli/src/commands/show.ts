import type { PromptVersion } from '@promptkeep/client'
import { TAG } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { findVersion } from '../find-version.ts'
import type { Io } from '../io.ts'
import { printJson, type RegistryFlags, registryCommand, withRegistry } from '../registry-command.ts'
import { readSplit, splitWords } from '../split.ts'
import { createStyle, isoTime, oneLine, printable, type Style, when } from '../style.ts'
import { templateText } from '../template-text.ts'

export const show = (io: Io): Command =>
  registryCommand(
    'show',
    'Show one version: its text, settings, tags and aliases',
    'show memory@production',
    'show memory/3 --json',
  )
    .argument('<ref>', 'name (means name@production), name@alias, name@latest or name/3')
    .action((ref: string, flags: RegistryFlags) =>
      withRegistry(io, flags, async (registry) => {
        const version = await findVersion(registry, ref)
        if (flags.json) return printJson(io, { ...version, createdAt: isoTime(version.createdAt) })
        const style = createStyle(io.out, io.env)
        // On a terminal the text is shown safely; a pipe gets it as it is.
        const text = templateText(version.template)
        io.out.write(`${header(version, style)}\n${io.out.isTty ? printable(text) : text}\n`)
      }),
    )

/** Said already, or of no use to a person. `--json` has them. */
const HIDDEN: ReadonlySet<string> = new Set([TAG.digest, TAG.requestId])

function header(version: PromptVersion, style: Style): string {
  const { name, aliases, createdAt, commitMessage, digest, modelConfig, responseFormat, tags } = version
  const lines: [string, string][] = [
    [
      'prompt',
      `${style.bold(`${name} v${version.version}`)}${aliases.length > 0 ? `  ${aliases.map((alias) => style.cyan(oneLine(alias))).join(' ')}` : ''}`,
    ],
    ['created', `${when(createdAt)}${commitMessage === '' ? '' : `  ${oneLine(commitMessage)}`}`],
    ['digest', digest],
  ]
  if (modelConfig !== undefined) lines.push(['model', oneLine(JSON.stringify(modelConfig))])
  if (responseFormat !== undefined) lines.push(['format', oneLine(JSON.stringify(responseFormat))])
  for (const [key, value] of Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)))
    if (!HIDDEN.has(key)) lines.push(rolloutLine(version, key, value) ?? ['tag', oneLine(`${key}=${value}`)])
  return lines.map(([label, value]) => `${style.dim(label.padEnd(8))} ${value}\n`).join('')
}

/** Weights that no client can read stay a tag like every other: they do nothing. */
function rolloutLine(
  { version, aliases }: PromptVersion,
  key: string,
  value: string,
): [string, string] | undefined {
  const alias = key.startsWith(TAG.rolloutPrefix) ? key.slice(TAG.rolloutPrefix.length) : undefined
  const weights = readSplit(value, version)
  if (alias === undefined || weights === undefined) return undefined
  const isInForce = aliases.includes(alias)
  const note = isInForce ? '' : `  (not in force: ${oneLine(alias)} does not point here)`
  return ['rollout', `${oneLine(alias)} ${splitWords(weights)}${note}`]
}
