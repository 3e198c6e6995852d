import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The Python that has the real `mlflow`: `MLFLOW_PYTHON`, else the virtual environment under `.cache/mlflow`. */
export const mlflowPython =
  process.env.MLFLOW_PYTHON ?? fileURLToPath(new URL('../../.cache/mlflow/bin/python', import.meta.url))

/**
 * Why tests of real MLflow are skipped here, or '' where they run. The command that sets MLflow up is `.ci/run`;
 * there, `REQUIRE_MLFLOW=1` makes absence a failure.
 */
export const mlflowSkip = whyNoMlflow(mlflowPython, 'MLFLOW_PYTHON')

function whyNoMlflow(python: string, variable: string): string {
  if (existsSync(python)) return ''
  const reason = `no Python with mlflow at ${python} (${variable} names another)`
  if (process.env.REQUIRE_MLFLOW === '1') throw new Error(`REQUIRE_MLFLOW=1, but ${reason}`)
  return `(skipped: ${reason})`
}

/** The oldest MLflow that the client works on: `MLFLOW_OLDEST_PYTHON`, else that under `.cache/mlflow-3.10`. */
export const oldestMlflowPython =
  process.env.MLFLOW_OLDEST_PYTHON ??
  fileURLToPath(new URL('../../.cache/mlflow-3.10/bin/python', import.meta.url))

/** As {@link mlflowSkip}, of the oldest MLflow. */
export const oldestMlflowSkip = whyNoMlflow(oldestMlflowPython, 'MLFLOW_OLDEST_PYTHON')

/** Settings that keep mlflow quiet and off the internet, and one that turns its eight job processes off. */
export const mlflowEnv = {
  MLFLOW_DISABLE_TELEMETRY: 'true',
  MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
  MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT: 'true',
  GIT_PYTHON_REFRESH: 'quiet',
  PYTHONDONTWRITEBYTECODE: '1',
}

/**
 * Runs a Python snippet beside the real `mlflow` and returns what it passed to `answer(value)`, as JSON.
 * The snippet's own prints are kept for the error message only. A snippet that raises rejects with its traceback.
 *
 * @param env - Added to a clean environment, e.g. `MLFLOW_TRACKING_URI`. The client retries a 5xx once, after 1 s at
 *   most, so that a server that answers one fails the test instead of stalling it.
 * @param options.timeoutMs - Then the process is killed and the call rejects. Default 120 s.
 */
export function runPython<T = unknown>(
  script: string,
  env: Readonly<Record<string, string>> = {},
  { timeoutMs = 120_000 }: { timeoutMs?: number } = {},
): Promise<T> {
  const source = `${PRELUDE}\n${script}\n`
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env
  const settings = {
    PATH,
    HOME,
    ...(TMPDIR && { TMPDIR }),
    ...mlflowEnv,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1',
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: '0',
    MLFLOW_HTTP_REQUEST_TIMEOUT: '30',
    ...env,
  }
  return new Promise((resolve, reject) => {
    const options = {
      env: settings,
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 64 * 2 ** 20,
    }
    const child = execFile(mlflowPython, ['-'], options, (error, stdout, stderr) => {
      const line = stdout.split('\n').findLast((text) => text.startsWith(MARK))
      if (error) reject(new Error(`Python failed (${error.message.split('\n')[0]}):\n${stderr || stdout}`))
      else if (line === undefined) reject(new Error(`Python never called answer():\n${stdout}\n${stderr}`))
      else resolve(JSON.parse(line.slice(MARK.length)) as T)
    })
    child.stdin?.on('error', () => undefined) // it ended before it read: the callback above says why
    child.stdin?.end(source)
  })
}

const MARK = '@@answer '
const PRELUDE = `
import json as _json, sys as _sys
def answer(value):
    _sys.stdout.write("\\n${MARK}" + _json.dumps(value) + "\\n")
    _sys.stdout.flush()
`
