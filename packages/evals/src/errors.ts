/**
 * Why an eval gives no verdict. `CONFIGURATION`: what was asked for is wrong or doesn't exist (a suite, a
 * dataset, an alias, a refused override). `INFRASTRUCTURE`: something that the run depends on didn't answer.
 * `INTERRUPTED`: the caller's signal. All three are exit code 2.
 */
export type EvalFailureCode = 'CONFIGURATION' | 'INFRASTRUCTURE' | 'INTERRUPTED'

/** Thrown by everything in this package on purpose. Branch on `code`, never on `message`. */
export class EvalFailure extends Error {
  readonly code: EvalFailureCode

  constructor(code: EvalFailureCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EvalFailure'
    this.code = code
  }
}

/** Something wrong in a file: one line for each problem, `file:line: where: what`. */
export class SourceError extends EvalFailure {
  readonly problems: readonly SourceProblem[]

  constructor(file: string, problems: readonly SourceProblem[]) {
    super('CONFIGURATION', problems.map((problem) => formatProblem(file, problem)).join('\n'))
    this.name = 'SourceError'
    this.problems = problems
  }
}

export interface SourceProblem {
  /** Starts at 1. */
  readonly line: number
  readonly message: string
}

const formatProblem = (file: string, { line, message }: SourceProblem): string =>
  `${file}:${line}: ${message}`

/** The text of whatever was thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)
