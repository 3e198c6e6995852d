import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Change, checkMessages, contentFromTags, digestOf, TAG } from '@promptkeep/client/protocol'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openStore } from '../packages/server/src/store/open-store.ts'
import { ANYBODY, type PastVersion, type Store } from '../packages/server/src/store/store.ts'
import { createHistoryModel, type HistoryModel, rolloutsOf, type Said } from './support/history-model.ts'
import { type Postgres, postgresSkip, startPostgres } from './support/postgres.ts'
import { type Random, seeded } from './support/seeded.ts'
import { spawnSource } from './support/spawn-source.ts'

const WRITERS = ['ada', 'grace', 'edsger', 'barbara']
const OPERATIONS = 10_000
const SAMPLES = 400
const RACES = 100
/** Another one each time; a failure prints it. */
const SEED = Number(process.env.HISTORY_SEED ?? Math.floor(Math.random() * 2 ** 31))

const NAMES = [...Array.from({ length: 8 }, (_, i) => `p${i}`), 'ghost']
const CHAINS = [
  ['production'],
  ['experiment', 'production'],
  ['stable', 'experiment', 'production'],
  ['latest'],
  ['stable', 'latest'],
]

function describeHistory(name: string, url: () => Promise<string>, skip = '') {
  describe.skipIf(skip)(`history on ${name} ${skip}`.trim(), () => {
    it(`holds for ${OPERATIONS} random operations of four writers, seed ${SEED}`, async () => {
      const at = await url()
      const store = await openStore(at)
      onTestFinished(() => store.close())
      const log = await whileReading(
        store,
        WRITERS.map((actor, i) => writeAll(at, actor, SEED + i)),
      )
      // Every operation was really done, and most were not refused.
      const total = Object.values(log.done).reduce((sum, times) => sum + times, 0)
      expect(total).toBeGreaterThan(OPERATIONS / 2)
      expect(Object.keys(log.done)).toHaveLength(14)
      for (const [operation, times] of Object.entries(log.done))
        expect([operation, times > 10]).toEqual([operation, true])

      expect(log.changes.map(({ seq }) => seq)).toEqual(log.changes.map((_, index) => index + 1))
      const times = log.changes.map((change) => change.at)
      expect(times).toEqual([...times].sort((a, b) => a - b))

      const checked = await compareAtTimes(store, log.changes, seeded(SEED))
      expect(checked.found).toBeGreaterThan(SAMPLES)
      expect(checked.ofReusedNames).toBeGreaterThan(SAMPLES / 4)
      expect(await held(store, checked.model)).toEqual(modelled(checked.model))
    }, 300_000)

    it('lets exactly one of four compare-and-set writers win each time', async () => {
      const at = await url()
      const store = await openStore(at)
      onTestFinished(() => store.close())
      await store.prompts.create({ name: 'race', description: '', tags: { [TAG.isPrompt]: 'true' } })
      for (const text of [...WRITERS, ...WRITERS]) {
        const tags = { [TAG.isPrompt]: 'true', [TAG.text]: text }
        const content = { source: 'dummy-source', runId: '', runLink: '', description: '', tags }
        await store.versions.create({ name: 'race', ...content }, ANYBODY)
      }
      const racers = WRITERS.map((actor) => startRacer(at, actor))
      onTestFinished(() => {
        for (const { stop } of racers) stop()
      })
      await Promise.all(racers.map(({ answer }) => answer())) // ready
      let current: number | null = null
      for (let round = 0; round < RACES; round++) {
        // Never to where it is: then it would be there for the next one, too.
        const targets = racers.map((_, i) => 1 + i + (round % 2) * racers.length)
        const expected: number | null = current
        const answers: RacerAnswer[] = await Promise.all(
          racers.map(({ ask }, i) => ask({ to: targets[i] ?? 0, expected })),
        )
        const winners = answers.flatMap(({ won }, i) => (won === true ? [targets[i]] : []))
        expect(winners).toHaveLength(1)
        // The losers are told who it was.
        for (const { won, current: told } of answers) if (won !== true) expect(told).toBe(winners[0])
        current = winners[0] ?? null
      }
      const moves = await store.changes.list({ prompt: 'race', kinds: ['alias.moved'], limit: 1000 })
      expect(moves).toHaveLength(RACES)
      expect((await store.aliases.find('race', 'production'))?.version).toBe(current)
    }, 120_000)
  })
}

/** Reads the log while others write it: a number that is committed after a higher one was read would be missing. */
async function whileReading(store: Store, writers: readonly Promise<Record<string, number>>[]) {
  let running = true
  const all = Promise.all(writers).finally(() => {
    running = false
  })
  const changes: Change[] = []
  const read = async () => {
    const page = await store.changes.after(changes.length, 1000)
    for (const change of page)
      if (change.seq !== changes.push(change))
        throw new Error(`Change ${change.seq} was seen before change ${changes.length}`)
    return page.length
  }
  while (running) {
    await read()
    await sleep(2)
  }
  const done: Record<string, number> = {}
  for (const one of await all)
    for (const [operation, times] of Object.entries(one)) done[operation] = (done[operation] ?? 0) + times
  while ((await read()) > 0);
  return { changes, done }
}

async function writeAll(url: string, actor: string, seed: number): Promise<Record<string, number>> {
  const operations = String(OPERATIONS / WRITERS.length)
  const writer = spawnSource('history-writer.ts', [url, actor, String(seed), operations])
  let complaints = ''
  let said = ''
  writer.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  writer.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const code = await new Promise((resolve) => writer.once('close', resolve))
  if (code !== 0) throw new Error(`${actor} failed (${code}):\n${complaints}`)
  return JSON.parse(said) as Record<string, number>
}

/** Follows the log with a model, and asks the store at many times what it was then. */
async function compareAtTimes(store: Store, log: readonly Change[], random: Random) {
  const model = createHistoryModel()
  const times = [...new Set(Array.from({ length: SAMPLES }, () => random.pick(log).at - random.whole(2)))]
  let next = 0
  let found = 0
  let ofReusedNames = 0
  for (const at of times.sort((a, b) => a - b)) {
    for (let change = log[next]; change && change.at <= at; change = log[next]) {
      model.apply(change)
      next++
    }
    const chain = random.pick(CHAINS)
    const answer = await store.history.resolveAt(NAMES, chain, at)
    expect(answer.seq).toBe(next)
    const expected = NAMES.map((name) => [name, model.resolve(name, chain)] as const)
    expect(answer.missing).toEqual(
      expected.flatMap(([name, said]) => (typeof said === 'string' ? [{ name, code: said }] : [])),
    )
    const told = expected.flatMap(([name, said]) => (typeof said === 'string' ? [] : [{ name, said }]))
    expect(answer.found.map(({ name }) => name)).toEqual(told.map(({ name }) => name))
    for (const [i, past] of answer.found.entries()) {
      const { name, said } = told[i] as (typeof told)[number]
      expect(await view(past), `${name} at ${at}, seed ${SEED}`).toEqual(expectedView(past, said))
      found++
      if (model.reused.has(name)) ofReusedNames++
    }
  }
  for (const change of log.slice(next)) model.apply(change)
  return { model, found, ofReusedNames }
}

/** Computed from the content itself wherever it can be. */
async function view({ alias, version, digest, rollout, content, since }: PastVersion) {
  return {
    alias,
    version,
    digest,
    contentDigest: content && (await digestOf(contentFromTags(content.tags, checkMessages))),
    keptDigest: content?.tags[TAG.digest] ?? digest,
    rollout,
    rollouts: content && rolloutsOf(content.tags),
    message: content?.description,
    aliases: content?.aliases,
    since: since.seq,
  }
}

const expectedView = ({ content }: PastVersion, { alias, version, since, aliases, content: said }: Said) => ({
  alias,
  version,
  digest: said.digest,
  contentDigest: said.digest,
  keptDigest: said.digest,
  rollout: said.rollouts.get(alias),
  rollouts: Object.fromEntries(said.rollouts),
  message: said.message === undefined ? `message of ${content?.tags[TAG.text]}` : (said.message ?? undefined),
  aliases,
  since,
})

type Holdings = Record<
  string,
  {
    versions: Record<number, { digest: string | undefined; rollouts: Record<string, string> }>
    aliases: Record<string, number>
  }
>

/** Without prompts that nothing was ever registered to: they are not in the log. */
async function held(store: Store, model: HistoryModel): Promise<Holdings> {
  const isPrompt = { entity: 'tag', key: TAG.isPrompt, comparator: '=', value: 'true' } as const
  const byName = { entity: 'attribute', key: 'name', ascending: true } as const
  const all = { clauses: [isPrompt], orderBy: [byName], limit: 100_000, offset: 0 }
  const holdings: Holdings = {}
  for (const { name, aliases } of (await store.prompts.search(all)).items) {
    holdings[name] = { versions: {}, aliases: {} }
    for (const { alias, version } of aliases) holdings[name].aliases[alias] = version
  }
  for (const { name, version, tags } of (await store.versions.search(all)).items) {
    const digest = await digestOf(contentFromTags(tags, checkMessages))
    const prompt = holdings[name]
    if (prompt) prompt.versions[version] = { digest, rollouts: rolloutsOf(tags) }
  }
  const isKnown = ([name, { versions }]: [string, Holdings[string]]) =>
    model.prompts.has(name) || Object.keys(versions).length > 0
  return Object.fromEntries(Object.entries(holdings).filter(isKnown))
}

const modelled = ({ prompts }: HistoryModel): Holdings =>
  Object.fromEntries(
    [...prompts].map(([name, { versions, aliases }]) => [
      name,
      {
        versions: Object.fromEntries(
          [...versions].map(([version, { digest, rollouts }]) => [
            version,
            { digest, rollouts: Object.fromEntries(rollouts) },
          ]),
        ),
        aliases: Object.fromEntries([...aliases].map(([alias, { version }]) => [alias, version])),
      },
    ]),
  )

interface RacerAnswer {
  readonly won?: boolean
  readonly current?: number | null
}

function startRacer(url: string, actor: string) {
  const racer = spawnSource('compare-and-set-racer.ts', [url, actor])
  let complaints = ''
  racer.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  const lines = createInterface({ input: racer.stdout })[Symbol.asyncIterator]()
  async function answer(): Promise<RacerAnswer> {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${actor} ended:\n${complaints}`)
    return JSON.parse(value as string) as RacerAnswer
  }
  return {
    answer,
    ask(question: { readonly to: number; readonly expected: number | null }) {
      racer.stdin.write(`${JSON.stringify(question)}\n`)
      return answer()
    },
    stop: () => racer.kill(),
  }
}

let folder = ''
let files = 0
let postgres: Postgres | undefined
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'promptkeep-history-'))
  if (postgresSkip === '') postgres = await startPostgres()
}, 60_000)
afterAll(async () => {
  await postgres?.stop()
  await rm(folder, { recursive: true, force: true })
})
describeHistory('a SQLite file', async () => `sqlite:${join(folder, `${++files}.db`)}`)
describeHistory('Postgres', async () => (postgres as Postgres).createDatabase(), postgresSkip)
