import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../../store/open-store.ts'
import { ANYBODY, type Store } from '../../store/store.ts'
import { downloadUri, requireSource } from './model-source.ts'

let store: Store
/** A run whose artifacts lie on this machine, and one whose artifacts lie with the server. */
const runs = { local: '', served: '' }

beforeEach(async () => {
  store = await openStore('sqlite::memory:')
  const experiment = (name: string, artifactLocation?: string) =>
    store.experiments.create({ name, artifactLocation, tags: {} })
  const run = async (experimentId: string) =>
    (await store.runs.create({ experimentId, name: 'r', userId: '', startTime: 0, tags: {} }, ANYBODY)).id
  runs.local = await run((await experiment('local', 'file:///data/runs')).id)
  runs.served = await run((await experiment('served')).id)
  await store.prompts.create({ name: 'model', description: '', tags: {} })
  await store.prompts.create({ name: 'prompt', description: '', tags: { 'mlflow.prompt.is_prompt': 'true' } })
  await create('model', 's3://bucket/a')
  await create('prompt', 'dummy-source')
})
afterEach(() => store.close())

const create = (name: string, source: string) =>
  store.versions.create({ name, source, runId: '', runLink: '', description: '', tags: {} }, ANYBODY)

async function said(source: string, more: { runId?: string; modelId?: string; isPrompt?: boolean } = {}) {
  const given = { source, runId: '', modelId: '', isPrompt: false, ...more }
  return requireSource(store, given).then(
    () => 'taken',
    (error: Error) => error.message,
  )
}
const notContained = /must identify the resource that contains the source\.$/
const local = /^Invalid model version source: .* To use a local path/

describe('the source of a version', () => {
  it("of a prompt is one of MLflow's placeholders", async () => {
    expect(await said('dummy-source', { isPrompt: true })).toBe('taken')
    expect(await said('prompt-template', { isPrompt: true })).toBe('taken')
    expect(await said('s3://bucket/a', { isPrompt: true })).toMatch(/^Invalid prompt source: 's3:/)
  })
  it.each(['s3://bucket/a', 'gs://b/c', 'dbfs:/x/y', 'https://example.com/model'])(
    'may be %s',
    async (source) => {
      expect(await said(source)).toBe('taken')
    },
  )
  it.each(['/etc', 'relative/path', 'dummy-source', 'file:///etc', 'file:/etc', 'FILE:///etc'])(
    'may not be %s without a run',
    async (source) => {
      expect(await said(source)).toMatch(local)
    },
  )
  it('may be a file among the artifacts of its run, and no other', async () => {
    const at = { runId: runs.local }
    const artifacts = `/data/runs/${runs.local}/artifacts`
    expect(await said(`${artifacts}/model`, at)).toBe('taken')
    expect(await said(`file://${artifacts}`, at)).toBe('taken')
    for (const source of [
      '/etc',
      `${artifacts}-more`,
      `${artifacts}/../../other`,
      `file://${artifacts}/%2e%2e/x`,
    ])
      expect(await said(source, at)).toMatch(local)
    expect(await said(artifacts, { runId: runs.served })).toMatch(local)
    expect(await said(artifacts, { runId: 'ghost' })).toMatch(notContained)
  })
  it.each(['s3://b/../c', 's3://b/%2e%2e/c', 's3://b/%252e%252e/c', 'https://h/a/../b'])(
    'may not climb: %s',
    async (source) => {
      expect(await said(source)).toMatch(/without relative path references/)
    },
  )
  it('of runs:/ is that of its own run', async () => {
    expect(await said('runs:/abc/model', { runId: 'abc' })).toBe('taken')
    expect(await said('runs:/abc/model', { runId: 'other' })).toMatch(notContained)
    expect(await said('runs:/abc/model')).toMatch(notContained)
  })
  it('of mlflow-artifacts:/ lies among the artifacts of its run', async () => {
    const { artifactUri } = await store.runs.get(runs.served)
    expect(await said(`${artifactUri}/model`, { runId: runs.served })).toBe('taken')
    expect(await said('mlflow-artifacts:/9/x/artifacts', { runId: runs.served })).toMatch(notContained)
    expect(await said(`${artifactUri}/model`)).toMatch(notContained)
  })
  it('may be a version of a plain model, which is followed to its files', async () => {
    expect(await said('models:/model/1')).toBe('taken')
    expect(await downloadUri(store, await create('model', 'models:/model/1'))).toBe('s3://bucket/a')
    expect(await said('models:/prompt/1')).toMatch(/Prompt versions cannot be used/)
    expect(await said('models:/model/9')).toBe('Model Version (name=model, version=9) not found')
    expect(await said('models:/ghost/1')).toBe('Registered Model with name=ghost not found')
    expect(await said('models:/model@prod')).toMatch(/by number\.$/)
    expect(await said('models:/m-123')).toMatch(notContained)
  })
  it('ends, though sources may form a circle', async () => {
    const version = await create('model', 'models:/model/2')
    expect(await downloadUri(store, version)).toBe('models:/model/2')
  })
})
