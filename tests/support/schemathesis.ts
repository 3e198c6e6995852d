import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The `schemathesis` command: `SCHEMATHESIS`, else that of the virtual environment under `.cache/schemathesis`. */
const command =
  process.env.SCHEMATHESIS ??
  fileURLToPath(new URL('../../.cache/schemathesis/bin/schemathesis', import.meta.url))

/**
 * Why tests with schemathesis are skipped here, or '' where they run. The command that sets it up is in `.ci/run`;
 * there, `REQUIRE_SCHEMATHESIS=1` makes absence a failure.
 */
export const schemathesisSkip = whyNoSchemathesis()

function whyNoSchemathesis(): string {
  if (existsSync(command)) return ''
  const reason = `no schemathesis at ${command} (SCHEMATHESIS names another)`
  if (process.env.REQUIRE_SCHEMATHESIS === '1') throw new Error(`REQUIRE_SCHEMATHESIS=1, but ${reason}`)
  return `(skipped: ${reason})`
}

interface Rate {
  readonly accepted: number
  readonly rejected: number
}

/** What schemathesis writes of a run, as far as tests read it. */
export interface SchemathesisReport {
  readonly complete: boolean
  readonly operations: { readonly total: number; readonly selected: number; readonly tested: number }
  readonly test_cases: { readonly generated: number; readonly unique_failures: number }
  readonly warnings: Readonly<Record<string, readonly unknown[]>>
  /** By operation (`GET /path`) and phase: how often what it takes for valid was answered with success. */
  readonly valid_rates: Readonly<Record<string, Readonly<Record<string, Rate>>>>
}

export interface SchemathesisRun {
  /** Where the OpenAPI document is. */
  readonly document: string
  readonly checks: readonly string[]
  /** Regular expressions of paths. */
  readonly include: string
  readonly exclude?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Generated requests for each operation, at most. */
  readonly maxExamples: number
  readonly seed: number
}

/**
 * Sends what an OpenAPI document allows and what it does not to the server that it describes, and reads the answers.
 *
 * @throws {Error} with its report for people, when a check fails
 */
export async function runSchemathesis(run: SchemathesisRun): Promise<SchemathesisReport> {
  const folder = await mkdtemp(join(tmpdir(), 'promptkeep-schemathesis-'))
  try {
    const report = join(folder, 'report.json')
    await execute(argumentsOf(run, report), folder)
    return JSON.parse(await readFile(report, 'utf8')) as SchemathesisReport
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

const argumentsOf = (
  { document, checks, include, exclude, headers = {}, maxExamples, seed }: SchemathesisRun,
  report: string,
) => [
  ...['--no-color', 'run', document],
  ...['--include-path-regex', include, ...(exclude === undefined ? [] : ['--exclude-path-regex', exclude])],
  ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
  ...['--checks', checks.join(',')],
  // Not the phase `stateful`: it would send a token's id on to the route that revokes it.
  ...['--phases', 'examples,coverage,fuzzing', '--generation-database', 'none'],
  ...['--max-examples', String(maxExamples), '--seed', String(seed)],
  ...['--continue-on-failure', '--no-shrink', '--request-timeout', '20'],
  ...['--report', 'json', '--report-json-path', report],
]

function execute(args: readonly string[], cwd: string): Promise<void> {
  const { PATH = '' } = process.env
  return new Promise((resolve, reject) => {
    // It keeps files beside where it runs and below HOME: both are a folder that goes away.
    const env = { PATH, HOME: cwd, PYTHONDONTWRITEBYTECODE: '1' }
    const options = { cwd, env, timeout: 240_000, killSignal: 'SIGKILL' as const, maxBuffer: 64 * 2 ** 20 }
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`schemathesis: ${error.message.split('\n')[0]}\n${stdout}\n${stderr}`))
      else resolve()
    })
  })
}
