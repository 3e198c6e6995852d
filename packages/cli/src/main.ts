import { readFileSync } from 'node:fs'
import { createIo, type Effects, type ExitCode } from './io.ts'
import { createProgram } from './program.ts'
import { reportError } from './report-error.ts'

export type { Effects, ExitCode, Io, Output } from './io.ts'

/**
 * Runs one command line.
 * @param argv - As `process.argv`: the first two are node and the script.
 * @returns 0 done; 1 a check failed, drift or a conflict; 2 usage, configuration, or nobody answered.
 */
export async function main(argv: readonly string[], effects: Effects = createIo(process)): Promise<ExitCode> {
  let exitCode: ExitCode = 0
  const setExitCode = (code: ExitCode) => {
    exitCode = code
  }
  try {
    await createProgram({ ...effects, setExitCode }, packageVersion()).parseAsync([...argv])
    return exitCode
  } catch (error) {
    return reportError(error, effects)
  }
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
