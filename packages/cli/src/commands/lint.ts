import { stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { type PromptFile, readPromptFile, readPromptFolder } from '@promptkeep/client/files'
import { includesOf } from '@promptkeep/client/includes'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { count, lint, tellLint } from '../lint.ts'
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
      const files = (await Promise.all(paths.map((path) => readFiles(resolve(io.cwd, path))))).flat()
      if (files.length === 0) throw new CliError('there are no prompt files to check')
      for (const file of files) await inFile(file, () => includesOf(file.template))
      await orderByIncludes(files.map((file) => ({ name: file.name, file })))
      const results = await Promise.all(
        files.map(async ({ path, template }) => {
          const label = relative(io.cwd, path)
          return { file: label, findings: await lint({ label, path, source: template }) }
        }),
      )
      const found = results.flatMap(({ findings }) => findings)
      const errors = found.filter(({ severity }) => severity === 'error').length
      if (errors > 0 || (flags.strict && found.length > 0)) io.setExitCode(1)
      if (flags.json) return printJson(io, { errors, warnings: found.length - errors, files: results })
      tellLint(io, found)
      io.err.write(
        `${count(files.length, 'file')}: ${count(errors, 'error')}, ${count(found.length - errors, 'warning')}\n`,
      )
    })

async function readFiles(path: string): Promise<PromptFile[]> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => !path.endsWith('.md'),
  )
  return isFolder ? readPromptFolder(path) : [await readPromptFile(path)]
}
