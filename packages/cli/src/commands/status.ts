import { canBeFile } from '@promptkeep/client/files'
import type { Command } from 'commander'
import { olderTypes } from '../generate/types-lock.ts'
import type { Io } from '../io.ts'
import {
  aliasName,
  printJson,
  type RegistryFlags,
  registryCommand,
  withRegistry,
} from '../registry-command.ts'
import { createStyle, oneLine, type Style, table } from '../style.ts'
import type { SyncState } from '../sync/compare.ts'
import { describeMove, type PartMove } from '../sync/parts.ts'
import { DEFAULT_DIR, openPromptFolder, type PromptFolder } from '../sync/prompt-folder.ts'
import { chainOf, checkHeld, type Finding, surveyPrompts } from '../sync/survey.ts'

interface StatusFlags extends RegistryFlags {
  readonly alias: string
  readonly check?: true
  readonly strictParts?: true
}

export const status = (io: Io): Command =>
  registryCommand(
    'status',
    'Compare prompt files with the registry: same, file newer, registry newer, both changed, only here, only there',
    'status apps/assistant/prompts',
    'status --check',
  )
    .argument('[dir]', 'folder of the prompt files', DEFAULT_DIR)
    .option(
      '--alias <alias>',
      'compare with the versions behind it; prompts without it: production',
      aliasName('--alias'),
      'production',
    )
    .option('--check', 'exit 1 on drift')
    .option('--strict-parts', 'take a part that moved on for drift')
    .action((dir: string, flags: StatusFlags) =>
      withRegistry(io, flags, async (registry) => {
        const folder = await openPromptFolder(io, 'status', dir)
        const findings = await surveyPrompts(registry, { ...folder, chain: chainOf(flags.alias) })
        checkHeld(flags.alias, findings)
        const drift = findings.filter((finding) => isDrift(finding, flags))
        if (flags.check && drift.length > 0) io.setExitCode(1)
        if (flags.json)
          return printJson(io, {
            dir: folder.label,
            alias: flags.alias,
            drift: drift.length,
            prompts: findings.map((finding) => toJson(finding, folder, flags)),
          })
        const style = createStyle(io.out, io.env)
        io.out.write(table(findings.map((finding) => row(finding, folder, flags.alias, style))))
        io.err.write(
          drift.length === 0
            ? `${folder.files.length} files, in step with ${flags.alias}.\n`
            : `${drift.length} of ${findings.length} prompts out of step with ${flags.alias}.\n`,
        )
        const older = olderTypes(folder.lock, findings)
        if (older.length > 0)
          io.err.write(
            `Changed since the types were made: ${older.join(', ')}. Whether the types are still right: promptkeep generate --check\n`,
          )
      }),
    )

/** What only the registry has is drift when it once was a file here: others may keep their prompts there too. */
const isDrift = (
  { state, lockDigest, movedParts }: Finding,
  { strictParts }: Pick<StatusFlags, 'strictParts'>,
): boolean =>
  (strictParts === true && movedParts.length > 0) ||
  (state !== 'same' && (state !== 'only there' || lockDigest !== undefined))

const COLOURS: Readonly<Record<SyncState, keyof Style>> = {
  same: 'dim',
  'file newer': 'green',
  'registry newer': 'cyan',
  'both changed': 'red',
  'only here': 'green',
  'only there': 'dim',
}

function row(finding: Finding, folder: PromptFolder, alias: string, style: Style): string[] {
  const { name, state, there } = finding
  const at = there === undefined ? '-' : `${there.alias === alias ? '' : `${there.alias} `}v${there.version}`
  return [style.bold(oneLine(name)), style[COLOURS[state]](state), at, hintOf(finding, folder, alias)]
}

function toJson(finding: Finding, folder: PromptFolder, flags: StatusFlags) {
  const { name, state, file, fileDigest, lockDigest, there, held, movedParts } = finding
  const hint = hintOf(finding, folder, flags.alias)
  return {
    name,
    state,
    drift: isDrift(finding, flags),
    ...(file && { file: `${folder.label}/${file.name}.md`, digest: fileDigest }),
    ...(lockDigest && { lockDigest }),
    ...(there && { registry: { alias: there.alias, version: there.version, digest: there.digest } }),
    ...(held && { registeredAs: held.version }),
    ...(movedParts.length > 0 && {
      movedParts: movedParts.map(({ part, alias, now }) => ({
        name: part.name,
        alias,
        was: part.version,
        ...(now !== undefined && { now }),
        ...(part.via !== undefined && { via: part.via }),
      })),
    }),
    ...(hint && { hint }),
  }
}

/** The text is the one of the file; a push makes it anew of what its parts say now. */
function partsHint(name: string, moves: readonly PartMove[], label: string): string {
  if (moves.length === 0) return ''
  const carriers = [...new Set(moves.flatMap(({ part }) => part.via ?? []))]
  const what = moves.map(describeMove).join('; ')
  if (moves.some(({ now }) => now === undefined)) return what
  const first = carriers.length > 0 ? `push ${carriers.join(', ')}, then ` : ''
  return `${what}: ${first}promptkeep push ${label} --only ${name} takes it`
}

function hintOf(
  { name, state, lockDigest, prompt, there, held, movedParts }: Finding,
  { label }: PromptFolder,
  alias: string,
): string {
  const waiting = held?.waiting ? held.version : undefined
  const promote = `promptkeep alias ${name} ${alias} ${waiting}`
  switch (state) {
    case 'same':
      return partsHint(name, movedParts, label)
    case 'file newer':
      return held === undefined
        ? `promptkeep push ${label}`
        : `v${held.version} holds this text: promptkeep alias ${name} ${alias} ${held.version}`
    case 'only here':
      if (waiting !== undefined) return `v${waiting} holds this text, and no alias points at it: ${promote}`
      return prompt === undefined
        ? `promptkeep push ${label}`
        : `it has no alias ${alias}: promptkeep push ${label} --alias ${alias}`
    case 'registry newer':
      return held === undefined
        ? `promptkeep pull ${label}`
        : `the file is v${held.version}, ${there?.alias} is now at v${there?.version}: promptkeep pull ${label}`
    case 'both changed':
      return lockDigest === undefined
        ? 'the lock does not know it, so nothing says which is newer: promptkeep diff'
        : 'changed on both sides since the last push or pull: promptkeep diff'
    case 'only there':
      if (lockDigest !== undefined)
        return `the file is gone: promptkeep push ${label} accepts that, pull --force brings it back`
      if (!canBeFile(name)) return 'its name cannot be that of a file'
      return there === undefined ? `it has no alias ${alias}` : ''
  }
}
