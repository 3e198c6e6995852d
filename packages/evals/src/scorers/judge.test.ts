import { describe, expect, it } from 'vitest'
import { answer } from './answer.fixture.ts'
import { needsJudge } from './define-scorer.ts'
import { judge } from './judge.ts'
import type { Judge, JudgeQuestion } from './services.ts'

/** A judge with fixed draws that keeps what it was asked. */
function fixedJudge(draws: readonly number[]) {
  const asked: JudgeQuestion[] = []
  const usage = { inputTokens: 1, outputTokens: 1, requests: draws.length }
  const service: Judge = {
    model: 'fixed',
    prompts: () => ({}),
    usage: () => usage,
    load: async () => {},
    async ask(question) {
      asked.push(question)
      const score = draws.reduce((sum, draw) => sum + draw, 0) / draws.length
      return { score, draws, agreement: 1 - (Math.max(...draws) - Math.min(...draws)), reason: 'why', usage }
    },
  }
  return { asked, service }
}

const bind = (options: object) => {
  const bound = judge.bind(options)
  if (!('forCase' in bound)) throw new Error(JSON.stringify(bound))
  return bound
}

describe('judge', () => {
  it.each([
    { rule: 'is 1 at its bar', options: {}, draws: [0.6, 0.8], score: 1, reason: '0.7 (0.6, 0.8): why' },
    {
      rule: 'is the mean below it',
      options: {},
      draws: [0.5, 0.5],
      score: 0.5,
      reason: '0.5 (0.5, 0.5), less than 0.7: why',
    },
    {
      rule: 'is always the mean with a bar of 1',
      options: { at_least: 1 },
      draws: [0.75, 1],
      score: 0.875,
      reason: '0.875 (0.75, 1), less than 1: why',
    },
  ])('$rule', async ({ options, draws, score, reason }) => {
    const { service } = fixedJudge(draws)
    const scorer = bind({ rubric: 'r', ...options }).forCase({}, { judge: service })
    const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length
    expect(await scorer?.(answer({ output: 'x' }))).toMatchObject({
      name: 'judge',
      score,
      reason,
      metadata: { mean, draws },
    })
  })

  it('asks with what suite and case say, the case before the suite', async () => {
    const { service, asked } = fixedJudge([1, 1])
    const args = answer({ input: 'in', output: 'out', messages: [{ role: 'user', content: 'in' }] })
    const suite = bind({
      rubric: 'of the suite',
      prompt: 'mine',
      draws: 3,
      grades: { yes: 1, no: 0 },
      name: 'kind',
    })
    expect(suite.name).toBe('kind')
    for (const expected of [{}, { judge: 'of the case' }, { judge: { reference: 'so' } }])
      await suite.forCase({ expected }, { judge: service })?.(args)
    await bind({ rubric: 'r', whole_conversation: true }).forCase({}, { judge: service })?.(args)
    const same = { prompt: 'mine', draws: 3, grades: { yes: 1, no: 0 }, input: 'in', output: 'out' }
    expect(asked).toEqual([
      { ...same, rubric: 'of the suite' },
      { ...same, rubric: 'of the case' },
      { ...same, rubric: 'of the suite', expected: 'so' },
      { prompt: 'eval-judge', rubric: 'r', draws: 2, input: 'in', output: 'out', messages: args.messages },
    ])
  })

  it('has nothing to say without a rubric', () => {
    expect(bind({}).forCase({}, {})).toBe(undefined)
  })

  it('calls draws that are too far apart an error', async () => {
    const { service } = fixedJudge([0.2, 0.9])
    const scorer = bind({ rubric: 'r', min_agreement: 0.5 }).forCase({}, { judge: service })
    await expect(scorer?.(answer({}))).rejects.toMatchObject({
      code: 'INFRASTRUCTURE',
      message:
        "the judge's draws are too far apart for an opinion: 0.2, 0.9, an agreement of 0.3, less than 0.5",
    })
  })

  it('is an error of configuration without a model', async () => {
    expect(needsJudge({ scorers: [bind({ rubric: 'r' })] })).toBe(true)
    await expect(bind({ rubric: 'r' }).forCase({})?.(answer({}))).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('--judge-model'),
    })
  })

  it.each([
    [{ draws: 1 }, 'draws'],
    [{ at_least: 0 }, 'at_least'],
    [{ grades: { yes: 1 } }, 'grades'],
    [{ grades: { yes: 2, no: 0 } }, 'grades'],
    [{ min_agreement: 2 }, 'min_agreement'],
    [{ rubrik: 'x' }, 'rubrik'],
  ])('refuses %j', (options, field) => {
    const bound = judge.bind(options)
    expect(Array.isArray(bound) && bound[0]?.path[0]).toBe(field)
  })

  it.each([
    [{ reference: 'so' }, 'must have a rubric, as the suite has none'],
    [3, 'must be a rubric, or an object'],
    [{ rubrik: 'x' }, 'no such key here'],
  ])('refuses a case that expects %j', (expected, says) => {
    expect(bind({}).issues({ expected: { judge: expected } })).toMatchObject([
      { path: expect.arrayContaining(['expected', 'judge']), message: expect.stringContaining(says) },
    ])
  })
})
