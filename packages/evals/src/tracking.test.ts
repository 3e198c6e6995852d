import { RegistryError } from '@promptkeep/client'
import { describe, expect, it } from 'vitest'
import { createTracking, type MlflowCall } from './tracking.ts'

type Fields = Parameters<MlflowCall>[2]

/** A tracking server with answers by path; what it was sent is kept. Real servers: `tests/eval.test.ts`. */
function serve(answers: Readonly<Record<string, (fields: Fields, calls: number) => object>>) {
  const sent: { path: string; fields: Fields }[] = []
  const call: MlflowCall = async (_method, path, fields) => {
    sent.push({ path, fields })
    const seen = sent.filter((request) => request.path === path).length
    return (answers[path]?.(fields, seen) ?? {}) as Awaited<ReturnType<MlflowCall>>
  }
  return { tracking: createTracking(call, async () => ''), sent, paths: () => sent.map(({ path }) => path) }
}

const missing = () => {
  throw new RegistryError('PROMPT_NOT_FOUND', 'Could not find experiment', {
    status: 404,
    mlflowCode: 'RESOURCE_DOES_NOT_EXIST',
  })
}
const taken = () => {
  throw new RegistryError('INVALID_INPUT', 'exists', { status: 400, mlflowCode: 'RESOURCE_ALREADY_EXISTS' })
}
const experiment = () => ({ experiment: { experiment_id: '7', lifecycle_stage: 'active' } })
const RUN = { 'runs/create': () => ({ run: { info: { run_id: 'r1' } } }) }
const request = { experiment: 'evals', name: 'tone', tags: { suite: 'tone' }, startedAt: 1000 }

describe('tracking', () => {
  it('starts a run in the experiment that there is', async () => {
    const server = serve({ ...RUN, 'experiments/get-by-name': experiment })
    expect(await server.tracking.startRun(request)).toMatchObject({ id: 'r1', experimentId: '7' })
    expect(server.paths()).toEqual(['experiments/get-by-name', 'runs/create'])
    expect(server.sent[1]?.fields).toEqual({
      experiment_id: '7',
      run_name: 'tone',
      start_time: 1000,
      tags: [{ key: 'suite', value: 'tone' }],
    })
  })

  it('makes the experiment when there is none', async () => {
    const server = serve({
      ...RUN,
      'experiments/get-by-name': missing,
      'experiments/create': () => ({ experiment_id: '8' }),
    })
    expect(await server.tracking.startRun(request)).toMatchObject({ experimentId: '8' })
  })

  it("takes the winner's when another run made it first", async () => {
    const server = serve({
      ...RUN,
      'experiments/get-by-name': (_, calls) => (calls === 1 ? missing() : experiment()),
      'experiments/create': taken,
    })
    expect(await server.tracking.startRun(request)).toMatchObject({ experimentId: '7' })
  })

  it('says that an experiment of this name was deleted', async () => {
    const { tracking } = serve({
      'experiments/get-by-name': () => ({ experiment: { experiment_id: '7', lifecycle_stage: 'deleted' } }),
    })
    await expect(tracking.startRun(request)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: 'the MLflow experiment evals is deleted: restore it, or name another experiment',
    })
  })

  it('sends no more params in one call than MLflow takes', async () => {
    const server = serve({ ...RUN, 'experiments/get-by-name': experiment })
    const run = await server.tracking.startRun(request)
    await run.logParams(Object.fromEntries(Array.from({ length: 250 }, (_, index) => [`p${index}`, 'x'])))
    const sizes = server.sent
      .filter(({ path }) => path === 'runs/log-batch')
      .map(({ fields }) => (fields.params as unknown[]).length)
    expect(sizes).toEqual([100, 100, 50])
  })

  it.each([
    { code: 'UNAVAILABLE', want: 'INFRASTRUCTURE' },
    { code: 'TIMEOUT', want: 'INFRASTRUCTURE' },
    { code: 'UNAUTHENTICATED', want: 'CONFIGURATION' },
    { code: 'INVALID_INPUT', want: 'CONFIGURATION' },
  ] as const)('has no verdict when the server says $code', async ({ code, want }) => {
    const { tracking } = serve({
      'experiments/get-by-name': () => {
        throw new RegistryError(code, 'no')
      },
    })
    await expect(tracking.startRun(request)).rejects.toMatchObject({
      code: want,
      message: 'the run cannot be logged: no',
    })
  })

  it('refuses an answer without a run', async () => {
    const { tracking } = serve({ 'experiments/get-by-name': experiment })
    await expect(tracking.startRun(request)).rejects.toThrow("the tracking server's answer has no run_id")
  })
})
