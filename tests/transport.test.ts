import { createMlflowTransport } from '@promptkeep/client'
import { afterAll, beforeAll, describe } from 'vitest'
import { describeTransport } from '../packages/client/src/conformance.ts'
import { type Mlflow, mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const at = (trackingUri: string) => ({ transport: createMlflowTransport({ trackingUri, env: {} }) })

describe('against our server', () => {
  let server: TestRegistry
  beforeAll(async () => {
    server = await startRegistry()
  })
  afterAll(() => server.stop())
  describeTransport('our server', async () => at(server.url))
})

describe.skipIf(mlflowSkip !== '')('against an untouched MLflow', () => {
  let mlflow: Mlflow
  beforeAll(async () => {
    mlflow = await startMlflow()
  })
  afterAll(() => mlflow?.stop())
  describeTransport('MLflow', async () => at(mlflow.url), mlflowSkip)
})
