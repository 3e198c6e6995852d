import { stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { listPromptFiles, type PromptFile, readPromptFile } from '@promptkeep/client/files'
import { includesOf } from '@promptkeep/client/includes'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { count, type Lint, lint, tellLint } from '../lint.ts'
import { describeCommand, printJson } from '../registry-command.ts'
import { inFile, orderByIncludes } from '../sync/parts.ts'
import { DEFAULT_DIR } from '../sync/prompt-folder.ts'

interface LintCommandFlags {
  readonly json?: true
  readonly strict?: true
}

export const lintCommand = (io: Io): Command =>
  describeCommand(
    'lint',
    'Check prompt files, without a registry: syntax, variables, includes',
    'lint apps/assistant/prompts --strict',
    'lint prompts/memory.md',
  )
    .argument('[paths...]', 'folders and prompt files', [DEFAULT_DIR])
    .option('--json', 'print JSON instead of text')
    .option('--strict', 'exit 1 on warnings, too')
    .action(async (paths: readonly string[], flags: LintCommandFlags) => {
      const given = (await Promise.all(paths.map((path) => pathsOf(resolve(io.cwd, path))))).flat()
      if (given.length === 0) throw new CliError('there are no prompt files to check')
      const read = await Promise.all([...new Set(given)].map((path) => readOne(path, relative(io.cwd, path))))
      const circle = await circleIn(read)
      const results = await Promise.all(
        read.map(async ({ path, label, file, findings }) => {
          const ofText = file ? await lint({ label, path, source: file.template }) : []
          const ofCircle = circle?.path === path ? [ofFile(label, circle.message)] : []
          return { file: label, findings: [...findings, ...ofCircle, ...ofText] }
        }),
      )
      const found = results.flatMap(({ findings }) => findings)
      const errors = found.filter(({ severity }) => severity === 'error').length
      if (errors > 0 || (flags.strict && found.length > 0)) io.setExitCode(1)
      if (flags.json) return printJson(io, { errors, warnings: found.length - errors, files: results })
      tellLint(io, found)
      io.err.write(
        `${count(results.length, 'file')}: ${count(errors, 'error')}, ${count(found.length - errors, 'warning')}\n`,
      )
    })

async function pathsOf(path: string): Promise<string[]> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => !path.endsWith('.md'),
  )
  return isFolder ? listPromptFiles(path) : [path]
}

interface Read {
  readonly path: string
  readonly label: string
  /** Absent for one that cannot be used: the findings say why. */
  readonly file?: PromptFile
  readonly findings: readonly Lint[]
}

const ofFile = (place: string, message: string): Lint => ({ severity: 'error', kind: 'file', place, message })

/** What is wrong in one file hides nothing of the others. @throws for a file that is not there, or cannot be read */
async function readOne(path: string, label: string): Promise<Read> {
  try {
    const file = await readPromptFile(path)
    await inFile(file, () => includesOf(file.template))
    return { path, label, file, findings: [] }
  } catch (error) {
    const { message } = error as Error
    const [, line, what] = message.startsWith(path)
      ? (/^:(\d+): ([\s\S]*)$/.exec(message.slice(path.length)) ?? [])
      : []
    if (what === undefined) throw error
    return { path, label, findings: [ofFile(`${label}:${line}`, what)] }
  }
}

/** The first circle in which files include each other, and the file that it is told of. */
async function circleIn(
  read: readonly Read[],
): Promise<{ readonly path: string; readonly message: string } | undefined> {
  try {
    await orderByIncludes(read.flatMap(({ file }) => (file ? [{ name: file.name, file }] : [])))
    return undefined
  } catch (error) {
    const { message } = error as Error
    const found = read.find(({ path }) => message.startsWith(`${path}: `))
    if (!found) throw error
    return { path: found.path, message: message.slice(found.path.length + 2) }
  }
}
