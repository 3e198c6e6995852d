import { hasCode, isOutage } from '@promptkeep/client'
import { CommanderError } from 'commander'
import { CliError } from './cli-error.ts'
import type { Effects, ExitCode } from './io.ts'
import { createStyle, printable } from './style.ts'

/** The one place where an error becomes words and an exit code. */
export function reportError(error: unknown, io: Effects): ExitCode {
  // Commander has said it already, with the usage.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const { message, hint, exitCode } = explain(error, io.env)
  const style = createStyle(io.err, io.env)
  // Paths as the person typed them, from where they are.
  const local = message.replaceAll(`${io.cwd}/`, '')
  io.err.write(`${style.red('error:')} ${printable(local)}\n${hint === undefined ? '' : `${hint}\n`}`)
  return exitCode
}

function explain(
  error: unknown,
  env: Effects['env'],
): { message: string; hint?: string | undefined; exitCode: ExitCode } {
  if (error instanceof CliError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (isOutage(error) && hasAnswered(error)) {
    // Something did: what it said is the cause, and starting another registry would not help.
    const local = message.replace('check the tracking URI', 'check --tracking-uri or MLFLOW_TRACKING_URI')
    return { message: local, exitCode: 2 }
  }
  if (isOutage(error)) {
    const hint =
      'Start a registry with: promptkeep serve   or name one with --tracking-uri or MLFLOW_TRACKING_URI.'
    return { message: `the registry cannot be reached: ${message}`, hint, exitCode: 2 }
  }
  if (hasCode(error, 'CONFLICT', 'DIGEST_MISMATCH')) return { message, exitCode: 1 }
  if (error instanceof Error && 'code' in error) return { message, hint: hintFor(error, env), exitCode: 2 }
  const hint = error instanceof Error ? error.stack?.split('\n').slice(1).join('\n') : undefined
  return { message: `unexpected: ${message}`, hint, exitCode: 2 }
}

/** The message says what was refused; this, where to look. */
function hintFor(error: unknown, env: Effects['env']): string | undefined {
  if (hasCode(error, 'FORBIDDEN'))
    return 'What you may do: promptkeep whoami   What an alias asks for: promptkeep policy list'
  if (hasCode(error, 'UNAUTHENTICATED'))
    return `${sent(env)}${(error as Error).message.includes('token create') ? '' : MAKE_ONE}`
  return undefined
}

const MAKE_ONE = ' An admin makes a token with: promptkeep token create NAME --role ROLE'

/** Of several variables one is sent: who set the other looks for a while. */
function sent({
  MLFLOW_TRACKING_USERNAME: user,
  MLFLOW_TRACKING_PASSWORD: password,
  MLFLOW_TRACKING_TOKEN: token,
}: Effects['env']): string {
  if (user && password)
    return `MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD were sent${token ? ', which outrank MLFLOW_TRACKING_TOKEN' : ''}.`
  if (token) return 'MLFLOW_TRACKING_TOKEN was sent.'
  return 'No credentials were sent: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.'
}

const hasAnswered = (error: unknown): boolean =>
  error instanceof Error && 'status' in error && error.status !== undefined
