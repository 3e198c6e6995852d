import type { ExitCode } from './io.ts'

/** Something to tell the person at the terminal: one line of what is wrong, one of what to do. */
export class CliError extends Error {
  readonly exitCode: ExitCode
  readonly hint: string | undefined

  constructor(
    message: string,
    { exitCode = 2, hint, cause }: { exitCode?: ExitCode; hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CliError'
    this.exitCode = exitCode
    this.hint = hint
  }
}
