import { isDeepStrictEqual } from 'node:util'
import { checkWeights, digestOf, hasCode, TAG } from '@promptkeep/client/protocol'
import { openStore } from '../../packages/server/src/store/open-store.ts'
import { ANYBODY, type Store } from '../../packages/server/src/store/store.ts'
import { seeded } from './seeded.ts'

/*
 * A process that does random things to a few prompts: `history-writer.ts <database URL> <actor> <seed> <operations>`.
 * At the end it prints how often each operation was done, as one line of JSON; refusals that other writers may
 * cause are not counted, and everything else ends it with an error.
 */

/** Few, so that the writers meet. */
const NAMES = Array.from({ length: 8 }, (_, i) => `p${i}`)
const ALIASES = ['production', 'experiment', 'stable']

const [url = '', actor = '', seed = '0', operations = '0'] = process.argv.slice(2)
const random = seeded(Number(seed))
const author = { ...ANYBODY, actor }
const done: Record<string, number> = {}

const store = await openStore(url, { allowModelConfigEdit: true })

const configOf = () => ({ temperature: random.whole(20) / 10 })
const weightsOf = () => JSON.stringify({ 1: random.whole(100), 2: random.whole(100) })
const rolloutOf = (alias: string) => `${TAG.rolloutPrefix}${alias}`

async function register(name: string, i: number) {
  const text = `${actor} wrote ${i}`
  const modelConfig = random.next() < 0.3 ? configOf() : undefined
  const digest = await digestOf({ template: text, ...(modelConfig && { modelConfig }) })
  const tags = {
    [TAG.isPrompt]: 'true',
    [TAG.text]: text,
    [TAG.type]: 'text',
    ...(modelConfig && { [TAG.modelConfig]: JSON.stringify(modelConfig) }),
    ...(random.next() < 0.5 && { [TAG.digest]: digest }),
    ...(random.next() < 0.2 && { [rolloutOf(random.pick(ALIASES))]: weightsOf() }),
  }
  const content = { source: 'dummy-source', runId: '', runLink: '', description: `message of ${text}` }
  const create = () => store.versions.create({ name, ...content, tags, digest }, author)
  await create().catch(async (error: unknown) => {
    if (!hasCode(error, 'PROMPT_NOT_FOUND')) throw error
    await store.prompts.create({ name, description: '', tags: { [TAG.isPrompt]: 'true' } })
    await create()
  })
}

/** One that the prompt has, or had. */
async function someVersion(name: string): Promise<number> {
  const { latestVersions } = await store.prompts.get(name)
  return 1 + random.whole(latestVersions[0]?.version ?? 1)
}

async function moveFromWhereItIs(name: string, alias: string) {
  const to = await someVersion(name)
  const expected = (await store.aliases.find(name, alias))?.version ?? null
  await store.aliases.move({ name, alias, to, expected, ...author })
}

async function rollBack(name: string, i: number) {
  const rows = random.next() < 0.6 ? await store.changes.list({ prompt: name, limit: 30 }) : []
  const toSeq = rows.length === 0 ? undefined : random.pick(rows).seq
  const requestId = `${actor}-${i}`
  const wanted = { name, alias: random.pick(ALIASES), toSeq, requestId, ...author }
  const made = await store.history.rollback(wanted)
  const again = await store.history.rollback(wanted).catch((error: unknown) => {
    // Another writer may have renamed or deleted it meanwhile, and given its name away.
    if (hasCode(error, 'PROMPT_NOT_FOUND', 'INVALID_INPUT', 'CONFLICT', 'VERSION_NOT_FOUND')) return undefined
    throw error
  })
  if (again && again[0]?.seq === made[0]?.seq && !isDeepStrictEqual(again, made))
    throw new Error(`The same rollback again answers another: ${JSON.stringify({ made, again })}`)
}

/** One version with all, or two that share. Sent twice: a request that got no answer is sent again. */
async function share(name: string, i: number) {
  const [one, other] = [await someVersion(name), await someVersion(name)]
  const weights = checkWeights(one === other ? { [one]: 100 } : { [one]: 70.5, [other]: 29.5 })
  const requestId = `${actor}-split-${i}`
  const wanted = { name, alias: random.pick(ALIASES), weights, requestId, ...author }
  const made = await store.aliases.setRollout(wanted)
  if (made.length === 0) return
  const again = await store.aliases.setRollout(wanted).catch((error: unknown) => {
    if (hasCode(error, 'PROMPT_NOT_FOUND', 'VERSION_NOT_FOUND')) return undefined
    throw error
  })
  if (again && again[0]?.seq === made[0]?.seq && !isDeepStrictEqual(again, made))
    throw new Error(`The same rollout again answers another: ${JSON.stringify({ made, again })}`)
}

type Deed = (store: Store, name: string, i: number) => Promise<unknown>

/** Each as often as its number says, of all numbers. */
const DEEDS: Readonly<Record<string, readonly [share: number, deed: Deed]>> = {
  register: [20, (_, name, i) => register(name, i)],
  create: [7, (to, name) => to.prompts.create({ name, description: '', tags: { [TAG.isPrompt]: 'true' } })],
  move: [
    16,
    async (to, name) =>
      to.aliases.move({ name, alias: random.pick(ALIASES), to: await someVersion(name), ...author }),
  ],
  'compare and set': [10, (_, name) => moveFromWhereItIs(name, random.pick(ALIASES))],
  remove: [4, (to, name) => to.aliases.remove(name, random.pick(ALIASES), author)],
  'set rollout': [
    8,
    async (to, name) =>
      to.versions.setTag(name, await someVersion(name), rolloutOf(random.pick(ALIASES)), weightsOf(), author),
  ],
  share: [10, (_, name, i) => share(name, i)],
  'delete rollout': [
    4,
    async (to, name) =>
      to.versions.deleteTag(name, await someVersion(name), rolloutOf(random.pick(ALIASES)), author),
  ],
  rename: [4, (to, name) => to.prompts.rename(name, random.pick(NAMES), author)],
  'delete version': [5, async (to, name) => to.versions.delete(name, await someVersion(name), author)],
  'delete prompt': [4, (to, name) => to.prompts.delete(name, author)],
  'edit config': [
    5,
    async (to, name) => {
      const version = await someVersion(name)
      return random.next() < 0.3
        ? to.versions.deleteTag(name, version, TAG.modelConfig, author)
        : to.versions.setTag(name, version, TAG.modelConfig, JSON.stringify(configOf()), author)
    },
  ],
  'edit message': [
    3,
    async (to, name, i) =>
      to.versions.update(
        name,
        await someVersion(name),
        random.next() < 0.2 ? undefined : `note ${i}`,
        author,
      ),
  ],
  rollback: [12, (_, name, i) => rollBack(name, i)],
}
const DRAWN = Object.entries(DEEDS).flatMap(([name, [share]]) => Array<string>(share).fill(name))

for (let i = 0; i < Number(operations); i++) {
  const name = random.pick(DRAWN)
  const [, deed] = DEEDS[name] as (typeof DEEDS)[string]
  try {
    await deed(store, random.pick(NAMES), i)
    done[name] = (done[name] ?? 0) + 1
  } catch (error) {
    const expected = ['PROMPT_NOT_FOUND', 'VERSION_NOT_FOUND', 'CONFLICT'] as const
    if (hasCode(error, ...expected)) continue
    // Such as a row of an earlier prompt of the name.
    if (name === 'rollback' && hasCode(error, 'INVALID_INPUT')) continue
    throw new Error(`${actor} failed at operation ${i} of seed ${seed}: ${name}`, { cause: error })
  }
}
await store.close()
process.stdout.write(`${JSON.stringify(done)}\n`)
