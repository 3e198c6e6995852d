import { mkdir, readFile } from 'node:fs/promises'
import { dirname, relative, resolve, sep } from 'node:path'
import { writeWhole } from '@promptkeep/client/files'
import { checkAlias } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { createTwoFilesPatch } from 'diff'
import { CliError } from '../cli-error.ts'
import { type Found, fromFolder, fromRegistry, type PromptToType } from '../generate/prompts-to-type.ts'
import { commandLine } from '../generate/source-text.ts'
import { FIRST_LINE, typesFile } from '../generate/types-file.ts'
import { lockTypes, olderThanText } from '../generate/types-lock.ts'
import type { Io } from '../io.ts'
import { printJson, type RegistryFlags, registryCommand, withRegistry } from '../registry-command.ts'
import { printable } from '../style.ts'
import { DEFAULT_DIR, openPromptFolder } from '../sync/prompt-folder.ts'
import { warn } from '../template-notes.ts'

interface GenerateFlags extends RegistryFlags {
  readonly from: string
  readonly out: string
  readonly alias: readonly string[]
  readonly check?: true
}

const DEFAULT_OUT = 'src/prompts.gen.ts'
const REGISTRY = 'registry'

export const generate = (io: Io): Command =>
  registryCommand(
    'generate',
    'Write the types of prompts as one TypeScript file: names, aliases, variables, responses',
    'generate',
    'generate --from apps/assistant/prompts --out apps/assistant/src/prompts.gen.ts --check',
    'generate memory weather --from registry --alias staging',
  )
    .argument('[names...]', 'only these prompts (default: all)')
    .option('--from <source>', 'read this folder of prompt files, or "registry"', DEFAULT_DIR)
    .option('--out <file>', 'write this file', DEFAULT_OUT)
    .option(
      '--alias <aliases>',
      'let these aliases be known besides production, by commas; of a registry their texts count before its',
      aliasList,
      [],
    )
    .option('--check', 'write nothing; exit 1 when the file is not what would be written')
    .action(async (names: readonly string[], flags: GenerateFlags) => {
      const out = resolve(io.cwd, flags.out)
      const source = await readSource(io, names, flags)
      const { prompts, notes } = source
      if (prompts.length === 0) throw new CliError(`${source.label}: there is no prompt to make types of`)
      for (const { name, note } of notes) warn(io, name, [note])
      const command = commandOf(io, names, flags)
      const text = typesFile(prompts, command)
      const before = await readBefore(out)
      if (flags.check) return check(io, flags, { ...source, before, text, command })
      if (before !== undefined && !before.includes(FIRST_LINE)) {
        throw new CliError(`${flags.out}: promptkeep generate did not make this file, and leaves it alone`, {
          hint: 'Move it away, or name another file with --out.',
        })
      }
      const changed = before !== text
      await mkdir(dirname(out), { recursive: true })
      if (changed) await writeWhole(out, text)
      await lockTypes(source.lockDir, prompts)
      if (flags.json) return printJson(io, { ...summary(flags, prompts), changed })
      io.out.write(`${flags.out}: the types of ${count(prompts)}${changed ? '' : ', unchanged'}\n`)
    })

interface Source extends Found {
  /** As a person names it. */
  readonly label: string
  /** Where the lock is that says which texts the types were made from. */
  readonly lockDir: string
}

/** A registry has no folder: there the lock is beside the types. */
async function readSource(io: Io, names: readonly string[], flags: GenerateFlags): Promise<Source> {
  const { from, alias } = flags
  if (from === REGISTRY) {
    const chain = [...new Set([...alias, 'production'])]
    const found = await withRegistry(io, flags, (registry) => fromRegistry(registry, names, chain))
    return { ...found, label: 'the registry', lockDir: dirname(resolve(io.cwd, flags.out)) }
  }
  if (flags.trackingUri !== undefined) {
    throw new CliError('--tracking-uri: the types are made from files', {
      hint: 'Ask the registry with --from registry.',
    })
  }
  const { dir, label, files } = await openPromptFolder(io, 'generate', from)
  return { ...(await fromFolder(files, names, ['production', ...alias])), label, lockDir: dir }
}

/** As it is on disk, whatever line ends git gave it. */
async function readBefore(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).replaceAll('\r\n', '\n')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new CliError(`${path}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
}

interface Checked extends Source {
  readonly before: string | undefined
  readonly text: string
  readonly command: string
}

/** Says what differs; the lock alone is no reason to fail, as most texts change without their types. */
async function check(io: Io, flags: GenerateFlags, checked: Checked): Promise<void> {
  const { prompts, lockDir, before, text, command } = checked
  const isSame = before === text
  const older = await olderThanText(lockDir, prompts)
  if (!isSame) io.setExitCode(1)
  if (flags.json) return printJson(io, { ...summary(flags, prompts), same: isSame, older })
  if (isSame) {
    io.out.write(`${flags.out}: the types of ${count(prompts)} are what they should be\n`)
    if (older.length > 0) {
      io.err.write(
        `Changed since the types were made, and the types are still right: ${older.join(', ')}. ${command} notes it.\n`,
      )
    }
    return
  }
  const patch = createTwoFilesPatch(flags.out, `${flags.out} as it should be`, before ?? '', text)
  io.out.write(io.out.isTty ? printable(patch) : patch)
  const why = before === undefined ? 'there is no such file' : 'not what would be written'
  io.err.write(`${flags.out}: ${why}. Make it anew, and commit it: ${command}\n`)
}

const summary = ({ out }: GenerateFlags, prompts: readonly PromptToType[]) => ({
  file: out,
  prompts: prompts.map(({ name, kind, aliases, variables, schema, digest }) => ({
    name,
    kind,
    aliases,
    variables,
    hasResponse: schema !== undefined,
    digest,
  })),
})

const count = ({ length }: readonly unknown[]) => `${length} prompt${length === 1 ? '' : 's'}`

/** The same for the same files, however their paths were typed. */
function commandOf({ cwd }: Io, names: readonly string[], { from, out, alias }: GenerateFlags): string {
  const path = (given: string) => relative(cwd, resolve(cwd, given)).split(sep).join('/') || '.'
  const [folder, file] = [from === REGISTRY ? from : path(from), path(out)]
  return commandLine([
    ...['npx', 'promptkeep', 'generate', ...new Set(names.toSorted())],
    ...(folder === path(DEFAULT_DIR)
      ? []
      : ['--from', from !== REGISTRY && folder === REGISTRY ? `./${folder}` : folder]),
    ...(file === DEFAULT_OUT ? [] : ['--out', file]),
    ...(alias.length === 0 ? [] : ['--alias', alias.join(',')]),
  ])
}

function aliasList(text: string): readonly string[] {
  const aliases = text.split(',').map((alias) => alias.trim())
  for (const alias of aliases) checkAlias(alias, '--alias')
  return aliases
}
