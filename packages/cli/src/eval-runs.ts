import { hasCode } from '@promptkeep/client'
import { EvalFailure, openEvalRuns } from '@promptkeep/evals'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'
import type { RegistryFlags } from './registry-command.ts'

export interface EvalRunsFlags extends RegistryFlags {
  readonly experiment?: string
}

type EvalRuns = ReturnType<typeof openEvalRuns>

/** Opens the runs that the flags and the environment name; what goes wrong says which flag or variable to look at. */
export async function withEvalRuns<T>(
  io: Io,
  { trackingUri, experiment }: EvalRunsFlags,
  use: (runs: EvalRuns) => Promise<T>,
): Promise<T> {
  if (experiment?.trim() === '')
    throw new CliError('--experiment must be the name of an MLflow experiment; got ""')
  try {
    const runs = openEvalRuns({ trackingUri, env: io.env })
    return await use({ ...runs, experiment: experiment ?? runs.experiment })
  } catch (error) {
    throw explained(error, trackingUri)
  }
}

/** An outage with what to do about it; anything else as it is. */
export function explained(error: unknown, trackingUri: string | undefined): unknown {
  if (!(error instanceof EvalFailure)) return error
  const given = trackingUri === undefined ? 'MLFLOW_TRACKING_URI' : '--tracking-uri'
  // What the server refused says itself what to do about tokens.
  if (hasCode(error.cause, 'UNAUTHENTICATED', 'FORBIDDEN')) return error.cause
  if (error.code === 'CONFIGURATION')
    return new CliError(error.message.replace(/^trackingUri\b/, given), { cause: error })
  if (error.code !== 'INFRASTRUCTURE') return error
  const hint =
    'Start a registry with: promptkeep serve   or name one with --tracking-uri or MLFLOW_TRACKING_URI.'
  return new CliError(error.message, { hint, cause: error })
}
