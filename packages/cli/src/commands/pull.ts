import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Registry } from '@promptkeep/client'
import {
  canBeFile,
  fileDigestOf,
  formatPromptFile,
  type PromptFile,
  parsePromptFile,
  writeLock,
  writeWhole,
} from '@promptkeep/client/files'
import { variablesOf } from '@promptkeep/client/templates'
import { type Command, Option } from 'commander'
import { listAll } from '../find-version.ts'
import type { Io } from '../io.ts'
import {
  aliasName,
  printJson,
  type RegistryFlags,
  registryCommand,
  withRegistry,
} from '../registry-command.ts'
import { createStyle, oneLine, table } from '../style.ts'
import { checkOnly, DEFAULT_DIR, openPromptFolder, type PromptFolder } from '../sync/prompt-folder.ts'
import { chainOf, checkHeld, type Finding, surveyPrompts } from '../sync/survey.ts'

interface PullFlags extends RegistryFlags {
  readonly alias: string
  readonly all?: true
  readonly dryRun?: true
  readonly force?: true
  readonly only?: readonly string[]
}

export const pull = (io: Io): Command =>
  registryCommand(
    'pull',
    'Write the texts behind an alias back to the prompt files; a file with local edits is left alone',
    'pull apps/assistant/prompts',
    'pull --only memory --force',
    'pull --all',
  )
    .argument('[dir]', 'folder of the prompt files', DEFAULT_DIR)
    .option(
      '--alias <alias>',
      'take the versions behind it; prompts without it: production',
      aliasName('--alias'),
      'production',
    )
    .option('--dry-run', 'say what would be written, and write nothing')
    .option('--force', 'overwrite local edits, and bring back files that are gone')
    .option('--only <names...>', 'pull only these prompts, also those that have no file yet')
    .addOption(
      new Option(
        '--all',
        'pull every prompt of the registry, and make the folder if it is missing',
      ).conflicts('only'),
    )
    .action((dir: string, flags: PullFlags) =>
      withRegistry(io, flags, async (registry) => {
        // A slip in the folder's name should not fill a new one.
        const missing = flags.all ? (flags.dryRun ? 'imagine' : 'make') : 'refuse'
        const folder = await openPromptFolder(io, 'pull', dir, missing)
        const chain = chainOf(flags.alias)
        const only = flags.only ?? (flags.all ? undefined : namesOf(folder))
        const findings = await surveyPrompts(registry, { ...folder, chain, only })
        checkOnly(flags.only, findings)
        checkHeld(flags.alias, findings, 'no prompt to pull')
        const results = await pullAll(folder, findings, flags)
        if (results.some(({ action }) => action === 'refused')) io.setExitCode(1)
        if (flags.json)
          return printJson(io, { dir: folder.label, dryRun: flags.dryRun === true, prompts: results })
        report(io, results, flags)
        const more = flags.only === undefined ? await countOthers(registry, chain, only) : 0
        if (more > 0)
          io.err.write(`${more} more in the registry: --only NAME pulls one, --all pulls them all\n`)
      }),
    )

/**
 * The prompts that belong to a folder: those with a file or a lock entry. Others may keep theirs in the same registry.
 * `undefined`, which is all of them, for a folder that has neither.
 */
function namesOf({ files, lock }: PromptFolder): string[] | undefined {
  const names = new Set([...files.map(({ name }) => name), ...Object.keys(lock.prompts)])
  return names.size === 0 ? undefined : [...names]
}

/** Prompts that `--all` would write besides. */
async function countOthers(
  registry: Registry,
  chain: readonly string[],
  taken: readonly string[] | undefined,
): Promise<number> {
  if (taken === undefined) return 0
  const others = (await listAll(registry)).filter(
    ({ name, aliases }) =>
      !taken.includes(name) && canBeFile(name) && chain.some((alias) => aliases[alias] !== undefined),
  )
  return others.length
}

interface Pulled {
  readonly name: string
  readonly action: 'unchanged' | 'written' | 'refused'
  readonly reason?: string
  readonly version?: number
}

async function pullAll(
  { dir, lock }: PromptFolder,
  findings: readonly Finding[],
  flags: PullFlags,
): Promise<Pulled[]> {
  const agreed = new Map(Object.entries(lock.prompts))
  const results: Pulled[] = []
  try {
    for (const finding of findings) {
      const result = await pullOne(dir, finding, flags)
      results.push(result)
      const { name, there, state } = finding
      if (there && (result.action === 'written' || state === 'same'))
        agreed.set(name, { digest: there.digest })
    }
  } finally {
    const changed = [...agreed].some(([name, { digest }]) => lock.prompts[name]?.digest !== digest)
    if (!flags.dryRun && changed) await writeLock(dir, { version: 1, prompts: Object.fromEntries(agreed) })
  }
  return results
}

async function pullOne(dir: string, finding: Finding, { force, dryRun }: PullFlags): Promise<Pulled> {
  const { name, state, there, file } = finding
  if (state === 'same' || there === undefined) return { name, action: 'unchanged' }
  const refusal = force ? undefined : refusalOf(finding)
  if (refusal !== undefined) return { name, action: 'refused', reason: refusal, version: there.version }
  const path = join(dir, `${name}.md`)
  const previous = file === undefined ? undefined : await readFile(path, 'utf8')
  const text = formatPromptFile(toFile(finding, there, path), previous)
  const unwritable = await whyUnwritable(text, path, there.digest)
  if (unwritable !== undefined) return { name, action: 'refused', reason: unwritable, version: there.version }
  if (!dryRun) await writeWhole(path, text)
  return { name, action: 'written', version: there.version }
}

function refusalOf({ state, file, lockDigest }: Finding): string | undefined {
  if (file === undefined)
    return lockDigest === undefined ? undefined : 'the file was removed here; bring it back with --force'
  if (state === 'registry newer') return undefined
  return 'it has local edits: push them, or overwrite them with --force'
}

/** Content from the registry; description, tags and whether variables are listed stay the file's own. */
function toFile(
  { name, file, prompt }: Finding,
  there: NonNullable<Finding['there']>,
  path: string,
): PromptFile {
  const { source: template, modelConfig, responseFormat, tags } = there
  const content = {
    name,
    path,
    template,
    ...(modelConfig && { modelConfig }),
    ...(responseFormat && { responseFormat }),
  }
  if (file === undefined) {
    const own = Object.entries(tags).filter(([key]) => !/^(promptkeep|_?mlflow)[._]/.test(key))
    return {
      ...content,
      ...(prompt?.description && { description: prompt.description }),
      ...(own.length > 0 && { tags: Object.fromEntries(own) }),
    }
  }
  return {
    ...content,
    ...(file.description !== undefined && { description: file.description }),
    ...(file.tags && { tags: file.tags }),
    ...(file.variables && { variables: variablesOf(there.template) }),
  }
}

/** A file that read back as something else would be drift from its first moment on. */
async function whyUnwritable(text: string, path: string, digest: string): Promise<string | undefined> {
  try {
    const file = parsePromptFile(text, path)
    return (await fileDigestOf(file)) === digest
      ? undefined
      : 'a file cannot hold this text without changing it'
  } catch (error) {
    return `it cannot be a file: ${(error as Error).message}`
  }
}

function report(io: Io, results: readonly Pulled[], flags: PullFlags): void {
  const style = createStyle(io.out, io.env)
  const rows = results
    .filter(({ action }) => action !== 'unchanged')
    .map(({ name, action, reason, version }) => [
      style.bold(oneLine(name)),
      action === 'written'
        ? style.green(`${flags.dryRun ? 'would be ' : ''}written from v${version}`)
        : style.red('refused'),
      reason ?? '',
    ])
  io.out.write(table(rows))
  const count = (action: Pulled['action']) => results.filter((result) => result.action === action).length
  const written = flags.dryRun ? 'would write' : 'written'
  io.err.write(`${written}=${count('written')} unchanged=${count('unchanged')} refused=${count('refused')}\n`)
}
