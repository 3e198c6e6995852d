import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mlflowSkip } from './support/mlflow.ts'
import { runPython } from './support/python.ts'
import { PYTHON_MS } from './support/python-client.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

describe.skipIf(mlflowSkip)(`the Python client and the runs of our server ${mlflowSkip}`, () => {
  let registry: TestRegistry
  beforeAll(async () => {
    registry = await startRegistry()
  })
  afterAll(() => registry?.stop())

  it(
    'reads the history of a metric, however long it is',
    async () => {
      const { points, none } = await runPython<{ points: number[][]; none: unknown[] }>(
        `
from mlflow import MlflowClient
from mlflow.entities import Metric
client = MlflowClient()
run = client.create_run("0").info.run_id
client.log_metric(run, "acc", 0.5, timestamp=7, step=3)
client.log_batch(run, metrics=[Metric("acc", i / 1000, 10 + i, i) for i in range(1500)])
points = client.get_metric_history(run, "acc")
answer({
    "points": [[p.value, p.timestamp, p.step] for p in points],
    "none": client.get_metric_history(run, "none"),
})
`,
        { MLFLOW_TRACKING_URI: registry.url },
        { timeoutMs: PYTHON_MS },
      )
      expect(points).toEqual([[0.5, 7, 3], ...Array.from({ length: 1500 }, (_, i) => [i / 1000, 10 + i, i])])
      expect(none).toEqual([])
    },
    PYTHON_MS,
  )
})
