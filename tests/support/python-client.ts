import { runPython } from './python.ts'

/** Longest time of a test with a snippet: importing mlflow takes seconds where much else runs. */
export const PYTHON_MS = 90_000

const HELPERS = `
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
client = MlflowClient()

def refusal(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except MlflowException as e:
        return {"code": e.error_code, "message": e.message}
    return None

def told(p):
    return {
        "name": p.name, "version": p.version, "template": p.template, "variables": sorted(p.variables),
        "message": p.commit_message, "tags": p.tags, "aliases": sorted(p.aliases),
        "model_config": p.model_config, "response_format": p.response_format, "is_text": p.is_text_prompt,
    }
`

/** Runs a snippet whose tracking server is `url`, with `client`, `refusal(call, …)` and `told(prompt)` at hand. */
export const python = <T>(url: string, script: string) =>
  runPython<T>(HELPERS + script, { MLFLOW_TRACKING_URI: url }, { timeoutMs: PYTHON_MS })

/** As Python tells a prompt version. */
export interface Told {
  readonly name: string
  readonly version: number
  readonly template: string | readonly object[]
  readonly variables: readonly string[]
  readonly message: string
  readonly tags: Readonly<Record<string, string>>
  readonly aliases: readonly string[]
  readonly model_config: object | null
  readonly response_format: object | null
  readonly is_text: boolean
}
