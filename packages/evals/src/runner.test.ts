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

function run(
  run: Target['run'],
  plan: Partial<RunPlan> = {},
  onResult?: (result: CaseResult, isKnown: boolean) => void,
) {
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
    { now: () => 1000, random: () => 0.5, sleep: async () => {}, onResult },
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

  it('runs each case as often as it should, all of them once before one of them again', async () => {
    const seen: [string, string, number | undefined][] = []
    const results = await run(
      async ({ id }, { tenant, trial }) => {
        seen.push([id, tenant, trial])
        return answer(trial === 0 ? id : 'no')
      },
      { trials: 2, cases: asking('a', 'b') },
    )
    expect(seen).toEqual([
      ['a', 'eval-1-a-1', 0],
      ['b', 'eval-1-b-1', 0],
      ['a', 'eval-1-a-2', 1],
      ['b', 'eval-1-b-2', 1],
    ])
    expect(results.map((one) => [one.case.id, one.trial, one.status])).toEqual([
      ['a', 0, 'passed'],
      ['a', 1, 'failed'],
      ['b', 0, 'passed'],
      ['b', 1, 'failed'],
    ])
  })

  it('tries again what the run depends on, and nothing else', async () => {
    const asked: string[] = []
    const failing: Record<string, number> = { a: 2, b: 1 }
    const results = await run(
      async ({ id }) => {
        asked.push(id)
        const left = failing[id] ?? 0
        failing[id] = left - 1
        if (left > 0 && id === 'a') throw new RegistryError('UNAVAILABLE', 'down')
        if (left > 0) return { ...answer(''), error: { kind: 'target', message: 'too many turns' } }
        return answer(id)
      },
      { retries: 2 },
    )
    expect(asked).toEqual(['a', 'a', 'a', 'b', 'c'])
    expect(statuses(results)).toEqual(['passed', 'error', 'passed'])
    expect(results[0]).toMatchObject({ retries: 2 })
    expect(results[2]).not.toHaveProperty('retries')
  })

  it('asks a judge again that broke, and the target not', async () => {
    let judged = 0
    let asked = 0
    const shaky = {
      name: 'judge',
      kind: 'judge',
      issues: () => [],
      forCase: () => async () => {
        if (judged++ === 0) throw new Error('overloaded')
        return { name: 'judge', score: 1 }
      },
    }
    const results = await run(
      async () => {
        asked++
        return answer('')
      },
      { scorers: [shaky], retries: 1, cases: asking('a') },
    )
    expect({ asked, judged, status: results[0]?.status }).toEqual({ asked: 1, judged: 2, status: 'passed' })
  })

  it('runs nothing again that is known', async () => {
    const known = await run(async ({ id }) => answer(id), { cases: asking('b') })
    const asked: string[] = []
    const told: string[] = []
    const results = await run(
      async ({ id }) => {
        asked.push(id)
        return answer(id)
      },
      { known: ({ id }) => known.find((one) => one.case.id === id) },
      (result, isKnown) => told.push(`${result.case.id} ${isKnown}`),
    )
    expect(asked).toEqual(['a', 'c'])
    expect(told).toEqual(['a false', 'b true', 'c false'])
    expect(statuses(results)).toEqual(['passed', 'passed', 'passed'])
  })

  it('reckons what a trial cost, and tells the scorers', async () => {
    const told: (number | undefined)[] = []
    const cost = {
      name: 'cost',
      kind: 'cost',
      issues: () => [],
      forCase:
        () =>
        ({ costUsd }: { costUsd?: number | undefined }) => {
          told.push(costUsd)
          return { name: 'cost', score: 1 }
        },
    }
    const usage = { inputTokens: 1_000, outputTokens: 100, requests: 1 }
    const [result] = await run(async () => ({ ...answer(''), usage }), {
      cases: asking('a'),
      scorers: [cost],
      prices: { input: 2, output: 10 },
    })
    expect(result?.costUsd).toBeCloseTo(0.003, 12)
    expect(told).toEqual([result?.costUsd])
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
