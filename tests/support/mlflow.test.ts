import { describe, expect, it, onTestFinished } from 'vitest'
import { mlflowSkip, startMlflow } from './mlflow.ts'
import { runPython } from './python.ts'

describe.skipIf(mlflowSkip)(`real MLflow ${mlflowSkip}`, () => {
  it('starts empty, serves the Python client, and stops', async () => {
    const mlflow = await startMlflow()
    onTestFinished(() => mlflow.stop())

    const seen = await runPython<{ names: string[]; version: string }>(
      `
import mlflow
mlflow.genai.register_prompt("memory", "You are {{ who }}")
answer({"names": [p.name for p in mlflow.genai.search_prompts()], "version": mlflow.__version__})
`,
      { MLFLOW_TRACKING_URI: mlflow.url },
    )

    expect(seen.names).toEqual(['memory'])
    expect(seen.version).toMatch(/^3\./)
    await mlflow.stop()
    await expect(fetch(`${mlflow.url}/health`)).rejects.toThrow()
  })

  it('says what Python raised', async () => {
    await expect(runPython('raise ValueError("no such thing")')).rejects.toThrow(/ValueError: no such thing/)
  })
})
