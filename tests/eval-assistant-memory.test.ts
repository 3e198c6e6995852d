import type { EvalReport } from '@promptkeep/evals'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AssistantSuites, readSuite, startAssistantSuites } from './support/assistant-suites.ts'
import { type Deed, type Place, perform, readDeeds } from './support/memory-acts.ts'

/*
 * The assistant's suites about memory, weather and trouble, each through the production entry point: agents, specialists, tools and
 * stores are real, what a case plants is really there, models play from a script. A suite has to let a good assistant pass, and
 * to find one that is not, by the right cases.
 */

const SUITES = [
  ...['memory', 'memory-write', 'memory-informed', 'weather'],
  ...['contradiction', 'long-conversation', 'error-recovery'],
]

describe("the assistant's suites with planted worlds", { timeout: 60_000 }, () => {
  let suites: AssistantSuites
  const lateMs = 0

  beforeAll(async () => {
    // a clock that stands: how busy this machine is says nothing about an answer
    const at = Date.now()
    suites = await startAssistantSuites({
      now: () => at + lateMs,
      settings: { WEATHER_API_TIMEOUT_SECONDS: '0.3' },
    })
  })
  afterAll(() => suites?.stop())

  async function play(name: string, worse?: (place: Place, good: Deed) => Deed): Promise<EvalReport> {
    const { dataset } = await readSuite(name)
    return suites.run(name, perform(dataset.cases, await readDeeds(name), worse))
  }

  const failed = ({ cases }: EvalReport): string[] =>
    cases.flatMap(({ case: { id }, status, scores, error }) =>
      status === 'passed'
        ? []
        : [
            `${id}: ${error?.message ?? scores.flatMap((s) => (s.score === 1 ? [] : [`${s.name} ${s.reason}`])).join('; ')}`,
          ],
    )

  it.each(SUITES)('%s passes who answers well', async (name) => {
    const report = await play(name)
    expect(failed(report)).toEqual([])
    expect(report).toMatchObject({ verdict: 'passed', reasons: [], metrics: { errors: 0, pass_rate: 1 } })
  })
})
