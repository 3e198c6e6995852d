import { RegistryError } from '@promptkeep/client'
import { describe, expect, it } from 'vitest'
import type { Case } from './dataset.ts'
import { type CaseResult, type RunPlan, runCases } from './runner.ts'
import { parseSuite } from './suite.ts'
import type { Target, TargetResult } from './target.ts'

const { scorers } = parseSuite(
  'name: s\ndataset: d\ntarget: t\nscorers: [contains]\nthreshold: 1\n',
  's.yaml',
)

const answer = (output: string): TargetResult => ({
  output,
  messages: [],
  toolCalls: [],
  prompts: {},
  fingerprint: 'f',
  usage: { inputTokens: 0, outputTokens: 0, requests: 1 },
})
const asking = (...ids: string[]): Case[] =>
  ids.map((id) => ({ id, input: `say ${id}`, expected: { contains: [id] } }))

function run(run: Target['run'], plan: Partial<RunPlan> = {}, onResult?: (result: CaseResult) => void) {
  return runCases(
    {
      cases: asking('a', 'b', 'c'),
      scorers,
      target: { run },
      promptAlias: ['production'],
      tenantPrefix: 'eval-1',
      concurrency: 1,
      caseTimeoutMs: 10_000,
      signal: new AbortController().signal,
      ...plan,
    },
    { now: () => 1000, onResult },
  )
}
const statuses = (results: readonly CaseResult[]) => results.map(({ status }) => status)
const untilAborted = (signal: AbortSignal) =>
  new Promise<TargetResult>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

describe('a run of cases', () => {
  it('judges each answer, in the order of the cases', async () => {
    const results = await run(async ({ id }) => answer(id === 'b' ? 'no' : `it is ${id}`), { concurrency: 3 })
    expect(statuses(results)).toEqual(['passed', 'failed', 'passed'])
    expect(results.map((result) => result.case.id)).toEqual(['a', 'b', 'c'])
    expect(results[1]?.scores).toMatchObject([{ name: 'contains', score: 0, reason: 'does not say "b"' }])
  })

  it('gives every case a tenant of its own, and the target nothing that it could cheat with', async () => {
    const seen: object[] = []
    await run(
      async (testCase, { tenant, promptAlias, model }) => {
        seen.push({ ...testCase, tenant, promptAlias, model })
        return answer('')
      },
      { model: 'm' },
    )
    expect(seen).toEqual(
      ['a', 'b', 'c'].map((id) => ({
        id,
        input: `say ${id}`,
        tenant: `eval-1-${id}`,
        promptAlias: ['production'],
        model: 'm',
      })),
    )
  })

  it('never has more under way than it may', async () => {
    let now = 0
    let most = 0
    await run(
      async () => {
        most = Math.max(most, ++now)
        await new Promise((resolve) => setImmediate(resolve))
        now--
        return answer('')
      },
      { concurrency: 2, cases: asking('a', 'b', 'c', 'd', 'e') },
    )
    expect(most).toBe(2)
  })

  it("keeps a target's error apart from answers, and goes on", async () => {
    const results = await run(async ({ id }) => {
      if (id === 'a') throw new Error('too many turns')
      if (id === 'b') return { ...answer('b'), error: { kind: 'target', message: 'blocked' } }
      return answer(id)
    })
    expect(statuses(results)).toEqual(['error', 'error', 'passed'])
    expect(results[0]).toMatchObject({ scores: [], error: { kind: 'target', message: 'too many turns' } })
    expect(results[1]).toMatchObject({ scores: [], error: { kind: 'target', message: 'blocked' } })
  })

  it.each([
    { code: 'UNAVAILABLE', kind: 'infrastructure' },
    { code: 'TIMEOUT', kind: 'infrastructure' },
    { code: 'ALIAS_NOT_FOUND', kind: 'configuration' },
    { code: 'FORBIDDEN', kind: 'configuration' },
  ] as const)('stops when the registry says $code to a target: an error of $kind', async ({ code, kind }) => {
    const results = await run(() => Promise.reject(new RegistryError(code, 'no')))
    expect(statuses(results)).toEqual(['error', 'not-run', 'not-run'])
    expect(results[0]?.error?.kind).toBe(kind)
  })

  it('ends a case that takes too long, though the target ignores its signal', async () => {
    const results = await run(
      ({ id }) => (id === 'b' ? new Promise(() => {}) : Promise.resolve(answer(id))),
      {
        caseTimeoutMs: 30,
      },
    )
    expect(statuses(results)).toEqual(['passed', 'error', 'passed'])
    expect(results[1]?.error).toEqual({ kind: 'target', message: 'no answer within 0.03 s' })
  })

  it('leaves what was interrupted, and what was left, as not run', async () => {
    const control = new AbortController()
    const results = await run(
      ({ id }, { signal }) => (id === 'a' ? Promise.resolve(answer('a')) : untilAborted(signal)),
      { signal: control.signal },
      () => control.abort(),
    )
    expect(statuses(results)).toEqual(['passed', 'not-run', 'not-run'])
  })

  it('has no verdict on an answer that a scorer cannot judge', async () => {
    const broken = {
      name: 'judge',
      kind: 'judge',
      expects: 'judge',
      issues: () => [],
      forCase: () => () => Promise.reject(new Error('no key')),
    }
    const results = await run(async () => answer(''), { scorers: [broken] })
    expect(results[0]).toMatchObject({
      status: 'error',
      error: { kind: 'infrastructure', message: 'a scorer failed: no key' },
    })
  })

  it('tells of each case as it ends', async () => {
    const told: string[] = []
    await run(
      async ({ id }) => answer(id),
      {},
      (result) => told.push(result.case.id),
    )
    expect(told).toEqual(['a', 'b', 'c'])
  })
})
