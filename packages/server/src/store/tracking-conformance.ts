import { describe, expect, it, onTestFinished } from 'vitest'
import { ANYBODY, type Clause, type Metric, type Order, type RunData, type Store } from './store.ts'

/** The contract of the two tracking ports, as tests. `open` gives an empty store each time. */
export function describeTrackingStore(name: string, open: () => Promise<Store>, skip = '') {
  const opened = async () => {
    const store = await open()
    onTestFinished(() => store.close())
    return store
  }

  describe.skipIf(skip)(`tracking store: ${name} ${skip}`, () => {
    describe('experiments', () => {
      it('start with Default, id 0', async () => {
        const { experiments } = await opened()
        const found = await experiments.get('0')
        expect(found.createdAt).toBeGreaterThan(0)
        expect(found).toMatchObject({
          id: '0',
          name: 'Default',
          stage: 'active',
          tags: {},
        })
      })

      it('get decimal ids, a location of their own, and keep their tags in order', async () => {
        const { experiments } = await opened()
        const made = await experiments.create({ ...draft('one'), tags: { z: '1', a: '' } })
        expect(made).toMatchObject({ id: '1', artifactLocation: 'mlflow-artifacts:/1' })
        expect(await experiments.get('1')).toEqual(made)
        expect(Object.keys((await experiments.getByName('one')).tags)).toEqual(['z', 'a'])
        const other = await experiments.create({ ...draft('two'), artifactLocation: 's3://bucket/x' })
        expect(other).toMatchObject({ id: '2', artifactLocation: 's3://bucket/x' })
      })

      it('refuse a taken name, and give its number to the next', async () => {
        const { experiments } = await opened()
        await experiments.create(draft('one'))
        await expect(experiments.create(draft('one'))).rejects.toMatchObject({
          message: 'Experiment(name=one) already exists.',
          mlflowCode: 'RESOURCE_ALREADY_EXISTS',
          status: 400,
        })
        expect((await experiments.create(draft('two'))).id).toBe('2')
      })

      it('of one name that are made at once are one', async () => {
        const { experiments } = await opened()
        const made = await Promise.allSettled(
          Array.from({ length: 5 }, () => experiments.create(draft('one'))),
        )
        expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      })

      it('that are missing are 404', async () => {
        const { experiments } = await opened()
        const missing = { mlflowCode: 'RESOURCE_DOES_NOT_EXIST', status: 404 }
        const byId = { ...missing, message: 'No Experiment with id=9 exists' }
        const byName = { ...missing, message: "Could not find experiment with name 'x'" }
        await expect(experiments.get('9')).rejects.toMatchObject(byId)
        await expect(experiments.getByName('x')).rejects.toMatchObject(byName)
      })

      it.each<[string, Clause[], string[]]>([
        ['all', [], ['Default', 'b%', 'B1', 'a']],
        ['an exact name', [attribute('name', '=', 'b%')], ['b%']],
        ['another name', [attribute('name', '!=', 'a')], ['Default', 'b%', 'B1']],
        ['a pattern, in its case', [attribute('name', 'LIKE', 'b_')], ['b%']],
        ['a pattern, in any case', [attribute('name', 'ILIKE', 'B%')], ['b%', 'B1']],
        ['ids', [attribute('experiment_id', 'IN', ['1', '3'])], ['B1', 'a']],
        ['other ids', [attribute('experiment_id', 'NOT IN', ['1', '3'])], ['Default', 'b%']],
        ['a time', [attribute('creation_time', '>', 0)], ['Default', 'b%', 'B1', 'a']],
        ['a tag', [tag('k', '=', 'v')], ['a']],
        ['no such tag', [tag('k', 'IS NULL')], ['Default', 'b%']],
        ['any such tag', [tag('k', 'IS NOT NULL')], ['B1', 'a']],
        ['two at once', [tag('k', '!=', 'x'), attribute('name', '=', 'B1')], ['B1']],
      ])('are found by %s', async (_, clauses, names) => {
        const { experiments } = await opened()
        await experiments.create({ ...draft('a'), tags: { k: 'v' } })
        await experiments.create(draft('b%'))
        await experiments.create({ ...draft('B1'), tags: { k: 'w' } })
        const found = await experiments.search({
          ...all,
          clauses,
          view: 'ACTIVE_ONLY',
          orderBy: [by('name')],
        })
        expect(found.items.map(({ name }) => name).sort()).toEqual([...names].sort())
        expect(found.more).toBe(false)
      })

      it('are ordered by code point, and paged with a look ahead', async () => {
        const { experiments } = await opened()
        for (const name of ['b', 'a', 'Z']) await experiments.create(draft(name))
        const page = (offset: number) =>
          experiments.search({ ...all, orderBy: [by('name')], view: 'ALL', limit: 3, offset })
        const [first, second] = [await page(0), await page(3)]
        expect(first.items.map(({ name }) => name)).toEqual(['Default', 'Z', 'a'])
        expect(second.items.map(({ name }) => name)).toEqual(['b'])
        expect([first.more, second.more]).toEqual([true, false])
        expect(
          (await experiments.search({ ...all, orderBy: [by('name')], view: 'DELETED_ONLY' })).items,
        ).toEqual([])
      })

      it('have ids that order as numbers', async () => {
        const { experiments } = await opened()
        for (let n = 1; n <= 10; n++) await experiments.create(draft(`e${n}`))
        const { items } = await experiments.search({
          ...all,
          orderBy: [by('experiment_id', false)],
          view: 'ALL',
          limit: 2,
        })
        expect(items.map(({ id }) => id)).toEqual(['10', '9'])
      })
    })

    describe('runs', () => {
      it('are made in an experiment, with their name as a tag behind the others', async () => {
        const { runs } = await opened()
        const run = await runs.create(runDraft('r1', { t: '1' }), ANYBODY)
        expect(run).toMatchObject({
          experimentId: '0',
          name: 'r1',
          userId: 'ada',
          status: 'RUNNING',
          startTime: 5,
          endTime: undefined,
          artifactUri: `mlflow-artifacts:/0/${run.id}/artifacts`,
          stage: 'active',
          metrics: [],
          params: {},
        })
        expect(run.id).toMatch(/^[0-9a-f]{32}$/)
        expect(Object.entries(run.tags)).toEqual([
          ['t', '1'],
          ['mlflow.runName', 'r1'],
        ])
        expect(await runs.get(run.id)).toEqual(run)
      })

      it('need an experiment', async () => {
        const { runs } = await opened()
        const inNine = { ...runDraft('r'), experimentId: '9' }
        await expect(runs.create(inNine, ANYBODY)).rejects.toThrow('No Experiment with id=9 exists')
      })

      it('that are missing are 404, whatever is asked of them', async () => {
        const { runs } = await opened()
        const missing = {
          message: 'Run with id=ff not found',
          mlflowCode: 'RESOURCE_DOES_NOT_EXIST',
          status: 404,
        }
        await expect(runs.get('ff')).rejects.toMatchObject(missing)
        await expect(runs.update('ff', { status: 'FINISHED' })).rejects.toMatchObject(missing)
        await expect(runs.log('ff', data({ tags: { a: 'b' } }), ANYBODY)).rejects.toMatchObject(missing)
      })

      it('change status, end and name, the tag with it, and nothing that was not given', async () => {
        const { runs } = await opened()
        const { id } = await runs.create(runDraft('r1'), ANYBODY)
        const ended = await runs.update(id, { status: 'FINISHED', endTime: 9 })
        expect(ended).toMatchObject({ name: 'r1', status: 'FINISHED', endTime: 9 })
        const renamed = await runs.update(id, { name: 'r2' })
        expect(renamed).toMatchObject({ name: 'r2', status: 'FINISHED', tags: { 'mlflow.runName': 'r2' } })
        expect(await runs.update(id, {})).toEqual(renamed)
        await runs.log(id, data({ tags: { 'mlflow.runName': 'r3' } }), ANYBODY)
        expect(await runs.get(id)).toMatchObject({ name: 'r3', tags: { 'mlflow.runName': 'r3' } })
        await runs.log(id, data({ tags: { 'mlflow.runName': '' } }), ANYBODY)
        expect((await runs.get(id)).name).toBe('r3')
      })

      it('take params once: the same value again is fine, another one is refused with all of its batch', async () => {
        const { runs } = await opened()
        const { id } = await runs.create(runDraft('r'), ANYBODY)
        await runs.log(id, data({ params: { lr: '0.1', empty: '' } }), ANYBODY)
        await runs.log(id, data({ params: { lr: '0.1' } }), ANYBODY)
        const other = data({ params: { fresh: '1', lr: "it's" }, tags: { t: '1' }, metrics: [point('m', 1)] })
        await expect(runs.log(id, other, ANYBODY)).rejects.toThrow(
          'Changing param values is not allowed. Params were already logged=' +
            `'[{'key': 'lr', 'old_value': '0.1', 'new_value': "it's"}]' for run ID='${id}'.`,
        )
        const run = await runs.get(id)
        expect(run).toMatchObject({ params: { lr: '0.1', empty: '' }, metrics: [] })
        expect(Object.keys(run.tags)).toEqual(['mlflow.runName'])
      })

      it('keep one of two params that are logged at once', async () => {
        const { runs } = await opened()
        const { id } = await runs.create(runDraft('r'), ANYBODY)
        const logged = await Promise.allSettled(
          ['1', '2', '3', '4'].map((value) => runs.log(id, data({ params: { lr: value } }), ANYBODY)),
        )
        expect(logged.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      })

      it('overwrite tags in place; of equal keys in a batch the last wins', async () => {
        const { runs } = await opened()
        const { id } = await runs.create(runDraft('r', { a: '1', b: '2' }), ANYBODY)
        const tags = [
          { key: 'a', value: 'x' },
          { key: 'c', value: '3' },
          { key: 'a', value: 'y' },
        ]
        await runs.log(id, { ...data({}), tags }, ANYBODY)
        expect(Object.entries((await runs.get(id)).tags)).toEqual([
          ['a', 'y'],
          ['b', '2'],
          ['mlflow.runName', 'r'],
          ['c', '3'],
        ])
      })

      it.each<[string, Metric[], Partial<Metric>]>([
        ['the highest step', [point('m', 1, 9, 1), point('m', 2, 1, 2)], { value: 2 }],
        ['then the highest timestamp', [point('m', 1, 9), point('m', 2, 1)], { value: 1 }],
        ['then the highest value', [point('m', 2), point('m', 1)], { value: 2 }],
        ['a negative step', [point('m', 3, 0, -5)], { value: 3, step: -5 }],
        ['one of two equal points', [point('m', 3), point('m', 3)], { value: 3 }],
        ['NaN', [point('m', Number.NaN)], { value: Number.NaN }],
        [
          'infinity as the largest number',
          [point('m', Number.POSITIVE_INFINITY)],
          { value: Number.MAX_VALUE },
        ],
        ['minus infinity', [point('m', Number.NEGATIVE_INFINITY)], { value: -Number.MAX_VALUE }],
        ['all digits of a number', [point('m', 0.1 + 0.2)], { value: 0.1 + 0.2 }],
        ['the smallest number', [point('m', 5e-324)], { value: 5e-324 }],
      ])('answer as latest metric %s, in one batch or several', async (_, points, latest) => {
        const { runs } = await opened()
        const batch = await runs.create(runDraft('batch'), ANYBODY)
        await runs.log(batch.id, data({ metrics: points }), ANYBODY)
        expect((await runs.get(batch.id)).metrics).toEqual([expect.objectContaining(latest)])
        const single = await runs.create(runDraft('single'), ANYBODY)
        for (const one of points) await runs.log(single.id, data({ metrics: [one] }), ANYBODY)
        expect((await runs.get(single.id)).metrics).toEqual([expect.objectContaining(latest)])
      })

      it('answer metrics in the order in which their keys came', async () => {
        const { runs } = await opened()
        const { id } = await runs.create(runDraft('r'), ANYBODY)
        await runs.log(id, data({ metrics: [point('z', 1), point('b', 1)] }), ANYBODY)
        await runs.log(id, data({ metrics: [point('a', 1), point('z', 2, 0, 1)] }), ANYBODY)
        expect((await runs.get(id)).metrics.map(({ key, value }) => `${key}${value}`)).toEqual([
          'z2',
          'b1',
          'a1',
        ])
      })

      it('take a full batch: 1000 points', async () => {
        const { runs } = await opened()
        const { id } = await runs.create(runDraft('r'), ANYBODY)
        const metrics = Array.from({ length: 1000 }, (_, step) => point(`m${step % 700}`, step, 0, step))
        await runs.log(id, data({ metrics }), ANYBODY)
        const found = (await runs.get(id)).metrics
        expect(found).toHaveLength(700)
        expect(found.find(({ key }) => key === 'm0')?.value).toBe(700)
      })
    })

    describe('the history of a metric', () => {
      const page = { limit: 100, offset: 0 }

      it('has every point by time, step and value, NaN as the 0 that it is stored as', async () => {
        const { runs } = await opened()
        const { id } = await runs.create(runDraft('r'), ANYBODY)
        const sorted = [
          point('m', 0.5, 1, 7),
          point('m', -1, 2, 0),
          point('m', Number.NaN, 2, 0),
          point('m', 0.25, 2, 0),
          point('m', 0.1 + 0.2, 2, 1),
          point('m', 3, 3, -5),
        ]
        await runs.log(id, data({ metrics: [...sorted].reverse() }), ANYBODY)
        await runs.log(id, data({ metrics: [point('m', 3, 3, -5), point('n', 9, 0)] }), ANYBODY)
        expect(await runs.metricHistory(id, 'm', page)).toEqual({ items: sorted, more: false })
      })

      it('comes page by page', async () => {
        const { runs } = await opened()
        const { id } = await runs.create(runDraft('r'), ANYBODY)
        const points = Array.from({ length: 5 }, (_, n) => point('m', n, n))
        await runs.log(id, data({ metrics: points }), ANYBODY)
        const pages = await Promise.all(
          [0, 2, 4, 6].map((offset) => runs.metricHistory(id, 'm', { limit: 2, offset })),
        )
        expect(pages.flatMap(({ items }) => items)).toEqual(points)
        expect(pages.map(({ more }) => more)).toEqual([true, true, false, false])
      })

      it("is empty for a run or a metric that is not there, and holds no other run's", async () => {
        const { runs } = await opened()
        const { id } = await runs.create(runDraft('r'), ANYBODY)
        const other = await runs.create(runDraft('other'), ANYBODY)
        await runs.log(other.id, data({ metrics: [point('m', 1)] }), ANYBODY)
        for (const [run, key] of [
          ['ff', 'm'],
          [id, 'm'],
          [other.id, 'M'],
        ] as const)
          expect(await runs.metricHistory(run, key, page)).toEqual({ items: [], more: false })
      })
    })

    describe('a search of runs', () => {
      it.each<[string, Clause[], string[]]>([
        ['nothing', [], ['r0', 'r1', 'r2', 'r3']],
        ['a metric', [metric('acc', '>', 0.5)], ['r2']],
        ['a metric from a bound on', [metric('acc', '>=', 0.5)], ['r1', 'r2']],
        ['another number, which NaN is', [metric('acc', '!=', 0.5)], ['r0', 'r2']],
        ['0, which NaN is not', [metric('acc', '=', 0)], []],
        ['a huge number', [metric('acc', '<', Number.MAX_VALUE)], ['r1', 'r2']],
        ['a param', [param('lr', '=', '1')], ['r1']],
        ['another param, which must exist', [param('lr', '!=', '1')], ['r0', 'r2']],
        ['no param', [param('lr', 'IS NULL')], ['r3']],
        ['a param there', [param('lr', 'IS NOT NULL')], ['r0', 'r1', 'r2']],
        ['a tag', [tag('grp', '=', 'A')], ['r0', 'r2']],
        ['a tag in any case', [tag('grp', 'ILIKE', 'a')], ['r0', 'r2']],
        ['a tag in its case', [tag('grp', 'LIKE', 'a')], []],
        ['brackets as themselves', [tag('odd', 'LIKE', '[*?]_%')], ['r1']],
        ['a backslash as itself', [tag('odd', 'LIKE', '%\\%')], ['r1']],
        ['a name', [attribute('run_name', 'LIKE', 'r_')], ['r0', 'r1', 'r2', 'r3']],
        ['a status', [attribute('status', '=', 'FINISHED')], ['r2']],
        ['an end, which running ones lack', [attribute('end_time', '!=', 0)], ['r2']],
        ['a start with a fraction', [attribute('start_time', '>', 1.5)], ['r2', 'r3']],
        ['a start beyond integers', [attribute('start_time', '<', 1e300)], ['r0', 'r1', 'r2', 'r3']],
        ['a user', [attribute('user_id', '=', 'ada')], ['r0', 'r1', 'r2', 'r3']],
        ['a dataset, which no run has', [dataset('name', '=', 'd')], []],
        ['several', [metric('acc', '<', 9), param('lr', '!=', '1'), tag('grp', '=', 'A')], ['r2']],
      ])('by %s', async (_, clauses, names) => {
        const { runs } = await opened()
        await fill(runs)
        const { items } = await runs.search({ ...allRuns, clauses, orderBy: [by('start_time')] })
        expect(items.map(({ name }) => name)).toEqual(names)
      })

      it.each<[string, Order[], string[]]>([
        ['a metric: NaN, then missing ones last', [by('acc', true, 'metric')], ['r1', 'r2', 'r0', 'r3']],
        ['a metric downwards, these last too', [by('acc', false, 'metric')], ['r2', 'r1', 'r0', 'r3']],
        ['a param: missing ones last', [by('lr', false, 'param')], ['r2', 'r1', 'r0', 'r3']],
        ['a tag, then a param', [by('grp', true, 'tag'), by('lr', false, 'param')], ['r2', 'r0', 'r1', 'r3']],
        ['an end: running ones last', [by('end_time'), by('run_name', false)], ['r2', 'r3', 'r1', 'r0']],
      ])('in the order of %s', async (_, orderBy, names) => {
        const { runs } = await opened()
        await fill(runs)
        const { items } = await runs.search({ ...allRuns, orderBy: [...orderBy, by('start_time')] })
        expect(items.map(({ name }) => name)).toEqual(names)
      })

      it('finds whole runs, of the experiments named, page by page', async () => {
        const store = await opened()
        await fill(store.runs)
        const other = await store.experiments.create(draft('other'))
        await store.runs.create({ ...runDraft('elsewhere'), experimentId: other.id }, ANYBODY)
        const page = (offset: number) =>
          store.runs.search({ ...allRuns, orderBy: [by('start_time')], limit: 3, offset })
        const [first, second] = [await page(0), await page(3)]
        expect(first.items.map(({ name }) => name)).toEqual(['r0', 'r1', 'r2'])
        expect(first.items[1]).toEqual(await store.runs.get(first.items[1]?.id ?? ''))
        expect(second.items.map(({ name }) => name)).toEqual(['r3'])
        expect([first.more, second.more]).toEqual([true, false])
        const both = { ...allRuns, orderBy: [by('start_time')], experimentIds: ['0', other.id, '77'] }
        expect((await store.runs.search(both)).items).toHaveLength(5)
        expect((await store.runs.search({ ...both, experimentIds: [] })).items).toEqual([])
        expect((await store.runs.search({ ...both, view: 'DELETED_ONLY' })).items).toEqual([])
      })

      it('takes as many values and comparisons as the filter language does', async () => {
        const { runs } = await opened()
        await fill(runs)
        const many = Array.from({ length: 10_000 }, (_, n) => String(n))
        const clauses = [
          attribute('run_id', 'NOT IN', many),
          ...Array.from({ length: 199 }, () => tag('grp', '!=', '')),
        ]
        const { items } = await runs.search({ ...allRuns, clauses, orderBy: [by('start_time')] })
        expect(items.map(({ name }) => name)).toEqual(['r0', 'r2'])
      })
    })
  })
}

const draft = (name: string) => ({ name, artifactLocation: undefined, tags: {} })
const all = { clauses: [], limit: 100, offset: 0 }
const allRuns = { ...all, experimentIds: ['0'], view: 'ACTIVE_ONLY' as const }
const runDraft = (name: string, tags: Record<string, string> = {}) => ({
  experimentId: '0',
  name,
  userId: 'ada',
  startTime: 5,
  tags,
})

const condition =
  (entity: Clause['entity']) =>
  (key: string, comparator: Clause['comparator'], value?: Exclude<Clause['value'], undefined>): Clause => ({
    entity,
    key,
    comparator,
    ...(value === undefined ? {} : { value }),
  })
const attribute = condition('attribute')
const tag = condition('tag')
const param = condition('param')
const metric = condition('metric')
const dataset = condition('dataset')
const by = (key: string, ascending = true, entity: Order['entity'] = 'attribute'): Order => ({
  entity,
  key,
  ascending,
})

const point = (key: string, value: number, timestamp = 0, step = 0): Metric => ({
  key,
  value,
  timestamp,
  step,
})
const pairs = (object: Record<string, string> = {}) =>
  Object.entries(object).map(([key, value]) => ({ key, value }))
const data = (given: {
  metrics?: Metric[]
  params?: Record<string, string>
  tags?: Record<string, string>
}): RunData => ({
  metrics: given.metrics ?? [],
  params: pairs(given.params),
  tags: pairs(given.tags),
})

/** Four runs, from bare (r3) to finished (r2); r0 has the metric NaN. */
async function fill(runs: Store['runs']): Promise<void> {
  const make = async (n: number, given: Parameters<typeof data>[0]) => {
    const { id } = await runs.create({ ...runDraft(`r${n}`), startTime: n }, ANYBODY)
    await runs.log(id, data(given), ANYBODY)
    return id
  }
  await make(0, { metrics: [point('acc', Number.NaN)], params: { lr: '0' }, tags: { grp: 'A' } })
  await make(1, { metrics: [point('acc', 0.5)], params: { lr: '1' }, tags: { odd: '[*?]x\\' } })
  const done = await make(2, { metrics: [point('acc', 0.7)], params: { lr: '2' }, tags: { grp: 'A' } })
  await runs.update(done, { status: 'FINISHED', endTime: 20 })
  await make(3, {})
}
