import type { EvalReport, LoadedSuite, TargetResult } from '@promptkeep/evals'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openTargetWithStores } from './support/assistant-stores.ts'
import { type AssistantSuites, readSuite, startAssistantSuites } from './support/assistant-suites.ts'
import { type Deed, type Place, perform, readDeeds } from './support/memory-acts.ts'
import { turnsOf } from './support/suite-performance.ts'

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
  /** How much later it is whenever the clock is looked at. */
  let stepMs = 0

  beforeAll(async () => {
    // a clock of our own: how busy this machine is says nothing about an answer
    let at = Date.now()
    suites = await startAssistantSuites({
      now: () => (at += stepMs),
      settings: { WEATHER_API_TIMEOUT_SECONDS: '0.3' },
    })
  })
  afterAll(() => suites?.stop())

  async function play(name: string, worse?: (place: Place, good: Deed) => Deed): Promise<EvalReport> {
    const { dataset } = await readSuite(name)
    return suites.run(name, perform(dataset.cases, await readDeeds(name), worse))
  }

  const whyNot = ({ cases }: EvalReport): string[] =>
    cases.flatMap(({ case: { id }, status, scores, error }) => {
      const misses = scores.flatMap(({ name, score, reason }) => (score === 1 ? [] : [`${name}: ${reason}`]))
      return status === 'passed' ? [] : [`${id}: ${error?.message ?? misses.join('; ')}`]
    })
  const failed = ({ cases }: EvalReport): string[] =>
    cases.filter(({ status }) => status !== 'passed').map((one) => one.case.id)
  const missed = ({ cases }: EvalReport, scorer: string): string[] =>
    cases
      .filter(({ scores }) =>
        scores.some(({ name, score }) => name === scorer && score !== null && score < 1),
      )
      .map((one) => one.case.id)

  const only =
    (isOne: (testCase: Place['testCase']) => boolean) =>
    (loaded: LoadedSuite): LoadedSuite => ({
      ...loaded,
      dataset: { ...loaded.dataset, cases: loaded.dataset.cases.filter(isOne) },
    })

  it.each(SUITES)('%s passes who answers well', async (name) => {
    const report = await play(name)
    expect(whyNot(report)).toEqual([])
    expect(report).toMatchObject({ verdict: 'passed', reasons: [], metrics: { errors: 0, pass_rate: 1 } })
  })

  it.each(SUITES)(
    '%s has enough trials, and a reason for each case to be told from the others',
    async (name) => {
      const { suite, dataset } = await readSuite(name)
      expect(suite.trials >= 8 || dataset.cases.length >= 60).toBe(true)
      expect(dataset.cases.every(({ tags = [] }) => tags.length > 0)).toBe(true)
    },
  )

  /** Deeds by case: each of its messages is answered so instead. */
  const instead =
    (deeds: Readonly<Record<string, Partial<Deed>>>) =>
    ({ testCase, turn }: Place, good: Deed): Deed => {
      const bad = deeds[testCase.id]
      const isLast = turn === (testCase.turns ?? ['']).length
      return bad && isLast ? { ...good, ...bad } : good
    }

  it('memory finds another user’s memories, inventions, and searches that bring up everything', async () => {
    const report = await play(
      'memory',
      instead({
        taste: { say: 'With oat milk, without sugar.' },
        'allergy-on-a-form': { say: 'Penicillin and latex.' },
        'never-told': { say: 'You take a 42, there is no doubt.' },
        'a-number-plate': { query: '' },
        'a-name': { query: 'rent' },
        'what-is-ahead': { query: [], say: 'Nothing is ahead.' },
      }),
    )
    expect(report.verdict).toBe('failed')
    expect(report.reasons).toContain('keeps_apart tolerates no miss: taste, allergy-on-a-form')
    expect(missed(report, 'keeps_apart')).toEqual(['taste', 'allergy-on-a-form'])
    expect(missed(report, 'made_up')).toEqual(['never-told'])
    expect(missed(report, 'precision_at_5')).toEqual(['a-name', 'a-number-plate'])
    expect(missed(report, 'recall_at_5')).toEqual(['a-name', 'a-number-plate', 'what-is-ahead'])
    expect(failed(report)).toHaveLength(6)
  })

  it('memory-write finds chatter that is saved, what is only said to be saved, and a deletion of the wrong memory', async () => {
    const report = await play(
      'memory-write',
      instead({
        thanks: { save: 'The user is thankful.' },
        'good-evening': { save: ['The user says good evening.', 'The user asks how the assistant is.'] },
        'only-dreaming': { save: 'The user plans to move to Iceland.' },
        'asked-not-to': { save: "The user's door code is 4411." },
        'a-preference': { save: [], say: 'Noted, never the middle.' },
        'three-things': { save: "The user's cat Opal is diabetic." },
        'forget-one': { forget: { find: 'plays the cello', holds: 'niece' }, find: '' },
        'forget-which': { forget: { find: 'car', holds: 'Saab' } },
        'moved-house': { correct: undefined as never, save: 'The user lives in Linz.' },
      }),
    )
    expect(report.verdict).toBe('failed')
    expect(report.reasons).toContain('kept_out tolerates no miss: asked-not-to')
    expect(missed(report, 'precision')).toEqual(['thanks', 'good-evening', 'only-dreaming', 'asked-not-to'])
    expect(missed(report, 'recall')).toEqual(['a-preference', 'three-things'])
    expect(missed(report, 'ended')).toEqual(['moved-house', 'forget-which'])
    expect(report.cases.find((one) => one.case.id === 'good-evening')?.scores).toContainEqual(
      expect.objectContaining({ name: 'nothing_else', score: 0 }),
    )
  })

  it('memory-write fails who saves all that is said', async () => {
    const { dataset } = await readSuite('memory-write')
    const report = await suites.run(
      'memory-write',
      perform(dataset.cases, {}, ({ testCase }) => ({ save: turnsOf(testCase), say: 'Kept.' })),
      {},
      only(({ tags = [] }) => tags.includes('nothing') || tags.includes('fact')),
    )
    expect(report.reasons).toContain('score.precision is below 0.7')
    expect(missed(report, 'precision')).toEqual(
      dataset.cases
        .filter(({ tags }) => tags?.includes('nothing') || tags?.includes('turns'))
        .map(({ id }) => id),
    )
  })

  it('memory-informed finds who answers as to anybody, and who recites', async () => {
    const report = await play(
      'memory-informed',
      instead({
        'dinner-with-an-allergy': { say: 'Lobster thermidor, with champagne.' },
        'a-run-with-a-bad-knee': { query: [], say: 'Go running three times a week.' },
        'nothing-that-bears-on-it': { say: 'Vinegar. And how are you since Lene left?' },
      }),
    )
    expect(report.verdict).toBe('failed')
    const worse = ['dinner-with-an-allergy', 'a-run-with-a-bad-knee', 'nothing-that-bears-on-it']
    expect(failed(report)).toEqual(worse)
    expect(missed(report, 'informed')).toEqual(worse)
    expect(missed(report, 'keeps_apart')).toEqual(['dinner-with-an-allergy'])
    expect(missed(report, 'looked')).toEqual(['a-run-with-a-bad-knee'])
  })

  it('weather finds who invents it, looks up another place, or takes the wrong day', async () => {
    const report = await play(
      'weather',
      instead({
        now: { weather: [], say: 'Bergen has sun and 15 degrees.' },
        'unknown-place': { say: 'In Zzyxopolis it is not cold, 18°C and sunny.' },
        'key-refused': { say: 'The key to Cádiz: it is raining.' },
        'place-from-before': { weather: 'Lubbock' },
        tomorrow: { say: 'Bergen gets 17 degrees tomorrow.' },
        'another-date-there': { say: 'Light rain today, up to 26, now 24 under clouds.' },
      }),
    )
    expect(report.verdict).toBe('failed')
    expect(missed(report, 'looked_up')).toEqual(['now', 'place-from-before'])
    expect(missed(report, 'made_up')).toEqual(['another-date-there', 'unknown-place', 'key-refused'])
    expect(missed(report, 'told_somehow')).toEqual(['now', 'tomorrow', 'place-from-before'])
  })

  it('weather finds who takes too long', async () => {
    stepMs = 4000
    const { dataset } = await readSuite('weather')
    const report = await suites
      .run(
        'weather',
        perform(dataset.cases, await readDeeds('weather')),
        {},
        only(({ id }) => id === 'unknown-place'),
      )
      .finally(() => {
        stepMs = 0
      })
    expect(report.reasons).toEqual(['score.latency is below 0.95'])
  })

  it('contradiction finds who passes over one, who overwrites unasked, and who sees one where there is none', async () => {
    const report = await play(
      'contradiction',
      instead({
        'may-be-a-slip': { say: 'Yes, in halves.' },
        'two-stored-things': { say: 'Seven, born in 2019.' },
        'said-as-a-correction': { correct: undefined as never, say: 'Rauland, then.' },
        'against-their-own-rule': {
          forget: { find: 'flights', holds: 'flights' },
        },
        'only-looks-like-one': { say: 'The lemon tree, but you prefer tea!' },
      }),
    )
    expect(report.verdict).toBe('failed')
    expect(missed(report, 'noticed')).toEqual(['may-be-a-slip', 'two-stored-things'])
    expect(missed(report, 'set_right')).toEqual(['said-as-a-correction', 'against-their-own-rule'])
    expect(missed(report, 'glossed_over')).toEqual(['only-looks-like-one'])
  })

  it('long-conversation finds who forgets the beginning, and what was corrected on the way', async () => {
    const report = await play(
      'long-conversation',
      instead({
        'planning-a-farewell': {
          say: 'You are invited to a farewell. It is on a Friday. Come hungry. Bring a friend.',
        },
        'sums-that-build-up': { say: 'Together 1,871, and 529 are left.' },
      }),
    )
    expect(report.verdict).toBe('failed')
    expect(failed(report)).toEqual(['planning-a-farewell', 'sums-that-build-up'])
    expect(missed(report, 'beginning')).toEqual(['planning-a-farewell', 'sums-that-build-up'])
    expect(missed(report, 'lost')).toEqual(['sums-that-build-up'])
  })

  it('error-recovery finds who hides an outage, who claims what was not done, and who never tried', async () => {
    const report = await play(
      'error-recovery',
      instead({
        'weather-down': { say: 'It will rain in Porto tomorrow, around 14°C, no need to worry.' },
        'weather-slow': { weather: [], say: 'I cannot say.' },
        'memory-unreadable': { say: "You haven't told me what it is called." },
        'memory-unwritable': { say: "Noted, I'll remember that, nothing to fear." },
        'one-of-two': { say: 'Neither could be looked up, nothing works.' },
      }),
    )
    expect(report.verdict).toBe('failed')
    expect(missed(report, 'pretends')).toEqual(['weather-down', 'memory-unreadable', 'memory-unwritable'])
    expect(missed(report, 'tried')).toEqual(['weather-slow'])
    expect(missed(report, 'still_helps')).toEqual(['one-of-two'])
  })

  describe('what a case plants', () => {
    /** The suite on a target that is looked into when its run is over, given-up trials included. */
    async function watched() {
      const { target, rows } = await openTargetWithStores(suites.url, suites.env)
      onTestFinished(() => target.close?.())
      const runs: Promise<TargetResult>[] = []
      const tenants: string[] = []
      const open = async () => ({
        run: (...[testCase, options]: Parameters<typeof target.run>) => {
          const run = target.run(testCase, options)
          runs.push(run)
          tenants.push(options.tenant)
          return run
        },
      })
      return {
        tenants,
        on: (loaded: LoadedSuite): LoadedSuite => ({ ...loaded, target: { open } }),
        async rowsAtTheEnd() {
          await Promise.allSettled(runs)
          return rows()
        },
      }
    }

    it('is seen by its own case and trial alone, and gone at the end', async () => {
      const { dataset } = await readSuite('memory')
      const { on, tenants, rowsAtTheEnd } = await watched()
      const everything = () => ({ query: '', save: 'The user was here.', say: '$results' })
      const report = await suites.run('memory', perform(dataset.cases, {}, everything), { trials: 2 }, on)
      expect(report.metrics).toMatchObject({ errors: 0 })
      expect(new Set(tenants).size).toBe(36)
      for (const { case: testCase, result } of report.cases) {
        const own = ((testCase.seed?.memories ?? []) as { content: string }[]).map(({ content }) => content)
        const calls = (name: string) =>
          (result?.toolCalls ?? []).filter((call) => call.name === name).map((call) => call.result)
        const [search] = calls('query_memory_tool') as { memories: { content: string }[] }[]
        const found = search?.memories.map(({ content }) => content) ?? []
        // the ten newest are shown, and what this very trial has just saved may be among them
        const planted = found.filter((content) => own.includes(content))
        expect(planted.length).toBeGreaterThanOrEqual(Math.min(9, own.length))
        expect([...own, 'The user was here.']).toEqual(expect.arrayContaining(found))
        // whoever had seen another trial's would have said "duplicate"
        expect(calls('save_memory_tool')).toEqual([expect.objectContaining({ action: 'stored' })])
      }
      expect(await rowsAtTheEnd()).toBe(0)
    })

    it('is gone after trials that ran out of time, or were wrong', async () => {
      const { dataset } = await readSuite('memory')
      const { on, rowsAtTheEnd } = await watched()
      const ids = ['taste', 'a-name', 'never-told', 'a-birthday']
      const broken = (loaded: LoadedSuite): LoadedSuite => {
        const { cases } = only(({ id }) => ids.includes(id))(loaded).dataset
        const changed = cases.map((one, index) => ({
          ...one,
          seed: {
            ...one.seed,
            ...(index === 0 ? { wishes: [] } : { fail: { tool: 'query_memory_tool', with: 'slow' } }),
          },
        }))
        return on({ ...loaded, dataset: { ...loaded.dataset, cases: changed } })
      }
      const report = await suites.run(
        'memory',
        perform(dataset.cases, await readDeeds('memory')),
        { timeoutSeconds: 1 },
        broken,
      )
      expect(report.verdict).toBe('invalid')
      expect(report.cases.map(({ error }) => error)).toEqual([
        { kind: 'configuration', message: expect.stringContaining('case taste: seed: unknown key wishes') },
        ...Array.from({ length: 3 }, () => ({ kind: 'target', message: 'no answer within 1 s' })),
      ])
      expect(await rowsAtTheEnd()).toBe(0)
    })
  })
})
