import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startJournal } from '../../packages/evals/src/journal.ts'
import { runCases } from '../../packages/evals/src/runner.ts'
import { SCORER_KINDS } from '../../packages/evals/src/scorers/kinds.ts'

/*
 * One run of as many cases as its argument says, with a target that answers at once and two scorers, noted in a journal as
 * the command does. Prints its figures as JSON. Needs --expose-gc.
 */

const count = Number(process.argv[2])
const answer =
  'A calm, clear answer in two sentences. It names the thing that was asked for, and stops there. '
const cases = Array.from({ length: count }, (_, i) => ({ id: `case-${i}`, input: `Question ${i}?` }))
const bound = (kind: string, options: object) => {
  const scorer = SCORER_KINDS.find((one) => one.kind === kind)?.bind(options)
  if (!scorer || !('forCase' in scorer)) throw new Error(`no scorer ${kind}`)
  return scorer
}
const prompts = {
  base: { version: 1, alias: 'production', digest: 'd'.repeat(64), source: 'registry', ageMs: 0 },
} as const

const folder = await mkdtemp(join(tmpdir(), 'promptkeep-bench-evals-'))
const journal = await startJournal(folder, {
  ...{ format: 'promptkeep-eval-journal-1', suite: 'bench', asked: {}, startedAt: 0, mark: { seq: 0 } },
  run: { id: 'bench', experimentId: '1' },
})

/** Bytes on the heap, nothing of which could be collected. */
const held = () => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
const samples: { readonly done: number; readonly bytes: number }[] = []
let done = 0
let sampledMs = 0
const before = held()
const began = performance.now()
await runCases(
  {
    cases,
    scorers: [bound('contains', { phrases: ['asked for'] }), bound('length', { max_words: 40 })],
    target: {
      run: async () => ({
        output: answer,
        messages: [],
        toolCalls: [],
        prompts,
        fingerprint: '',
        usage: { inputTokens: 100, outputTokens: 20, requests: 1 },
      }),
    },
    promptAlias: ['production'],
    tenantPrefix: 'bench',
    concurrency: 4,
    caseTimeoutMs: 60_000,
    signal: new AbortController().signal,
  },
  {
    now: Date.now,
    random: Math.random,
    sleep: async () => {},
    async onResult(result) {
      await journal.append(result, {})
      if (++done % Math.max(1, count / 10) !== 0) return
      const from = performance.now()
      samples.push({ done, bytes: held() - before })
      sampledMs += performance.now() - from
    },
  },
)
const ms = performance.now() - began - sampledMs
await journal.close()
await rm(folder, { recursive: true, force: true })
console.log(JSON.stringify({ ms, samples }))
