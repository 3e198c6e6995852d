import { createMlflowTransport, isRegistryError } from '@promptkeep/client'
import type { Place } from './places.ts'

/** One line of the table. */
export interface Feature {
  readonly what: string
  /** How a program can tell. */
  readonly shows: string
  /** What happens, in the words of a cell. */
  find(place: Place): Promise<string>
}

const CAPABILITIES = ['seed', 'compareAndSet', 'history', 'live', 'fleet'] as const

export const FEATURES: readonly Feature[] = [
  {
    what: 'What it says that it can do',
    shows: '`registry.capabilities()`: `server` and a flag for each',
    async find({ open }) {
      const can = await open().capabilities()
      const flags = CAPABILITIES.filter((flag) => can[flag])
      return `\`${can.server}\`: ${flags.length ? flags.map((flag) => `\`${flag}\``).join(', ') : 'none of them'}`
    },
  },
  {
    what: '`load`, `loadSet`',
    shows: 'the same everywhere',
    async find({ name, open }) {
      const registry = open({ defaults: { [name]: 'one', [`${name}-2`]: 'two' } })
      await registry.seed()
      const alone = await registry.load(name)
      const set = await registry.loadSet([name, `${name}-2`])
      return `${alone.source}, ${set.get(`${name}-2`).source}`
    },
  },
  {
    what: '`load` with a `key`, after `admin.rollout`',
    shows: 'the same everywhere; the weights are tags',
    async find(place) {
      const { name, open, admin } = place
      await twoVersions(place)
      await admin().rollout({ name, weights: { 1: 50, 2: 50 }, reason: 'try it' })
      const registry = open({ cacheTtlSeconds: 60 })
      const versions = new Set<number>()
      for (let i = 0; i < 40; i++) versions.add((await registry.load(name, { key: `user-${i}` })).version)
      return `versions ${[...versions].sort().join(' and ')}, by key`
    },
  },
  {
    what: '`{% include %}` in a registered text',
    shows: 'the same everywhere: the client expands it',
    async find({ name, open }) {
      const registry = open()
      await registry.register({ name: `${name}-tone`, template: 'Be kind.' })
      await registry.setAlias(`${name}-tone`, 'production', 1)
      const { template } = await registry.register({
        name,
        template: `{% include "${name}-tone" %} Be brief.`,
      })
      return `registered as \`${String(template)}\``
    },
  },
  {
    what: '`register` whose answer is lost, and which is sent again',
    shows: 'the same everywhere',
    async find({ url, name, open }) {
      let lost = 0
      const transport = createMlflowTransport({
        trackingUri: url,
        env: {},
        fetch: async (input, init) => {
          const answer = await fetch(input, init)
          const isMade = /model-versions\/create|\/register$/.test(String(input)) && answer.ok
          if (isMade && lost++ === 0) throw new TypeError('the connection was reset')
          return answer
        },
      })
      await transport.register({ name, template: 'one' })
      const { length } = (await open().versions(name)).items
      return lost > 0 ? `${length} version` : 'no answer was lost'
    },
  },
  {
    what: '`seed` by four processes at once',
    shows: '`capabilities().seed`; the result is the same',
    async find({ name, open }) {
      const reports = await Promise.all([1, 2, 3, 4].map(() => open({ defaults: { [name]: 'x' } }).seed()))
      const seeded = reports.reduce((sum, report) => sum + report.seeded.length, 0)
      const skipped = reports.reduce((sum, report) => sum + report.skipped.length, 0)
      const { length } = (await open().versions(name)).items
      return `${seeded} seeded, ${skipped} skipped, ${length} version`
    },
  },
  {
    what: '`setAlias` with `expected`, while somebody else moves the alias',
    shows: '`capabilities().compareAndSet`; `CONFLICT`, or none',
    find: raced,
  },
  {
    what: '`setAlias` with `force`',
    shows: '`INVALID_INPUT`',
    async find(place) {
      await twoVersions(place)
      return said(async () => {
        const options = { force: true, reason: 'now' }
        const { to } = await place.open().setAlias(place.name, 'production', 2, options)
        return `moved to ${to}`
      })
    },
  },
  {
    what: '`setAlias` with `evidence`',
    shows: 'the same everywhere; only our server checks it, where a policy asks for it',
    async find(place) {
      await twoVersions(place)
      const evidence = `runs:/${'a'.repeat(32)}`
      await place.open().setAlias(place.name, 'production', 2, { evidence })
      const [last] = (await place.open().changes(place.name)).items
      return last?.evidence === evidence ? 'kept' : 'lost'
    },
  },
  {
    what: '`changes` after three moves of one alias',
    shows: '`capabilities().history`; changes without `seq`',
    async find(place) {
      await twoVersions(place)
      for (const version of [2, 1]) await place.open().setAlias(place.name, 'production', version)
      const { items } = await place.open().changes(place.name)
      const moves = items.filter(({ kind }) => kind === 'alias.moved')
      const numbered = items.every(({ seq }) => seq !== undefined) ? 'with `seq`' : 'without `seq`'
      const others = items.length - moves.length
      return `${moves.length} of 3 moves and ${others} others, ${numbered}`
    },
  },
  {
    what: '`admin.resolve` of two prompts',
    shows: 'no `seq` in the answer: two moments are possible',
    async find(place) {
      await twoVersions(place)
      const { prompts, missing, seq } = await place.admin().resolve([place.name, `${place.name}-none`])
      const when = seq === undefined ? 'one by one' : 'as of one `seq`'
      return `${prompts.length} found, ${missing.length} missing, ${when}`
    },
  },
  {
    what: '`admin.resolve` of the past (`at`)',
    shows: '`INVALID_INPUT`',
    async find(place) {
      await twoVersions(place)
      return said(async () => {
        const { prompts } = await place.admin().resolve([place.name], { at: Date.now() + 60_000 })
        return `version ${prompts[0]?.version}`
      })
    },
  },
  {
    what: '`admin.rollback` twice',
    shows: 'the same everywhere, for as long as the last move is the one that is undone',
    async find(place) {
      const { name, admin, open } = place
      await twoVersions(place)
      await open().setAlias(name, 'production', 2)
      const once = () =>
        said(async () => `to ${(await admin().rollback({ name, reason: 'worse' })).at(-1)?.to}`)
      return `${await once()}, then ${await once()}`
    },
  },
  {
    what: '`admin.rollback` with `toSeq`',
    shows: '`INVALID_INPUT`',
    async find(place) {
      const { name, admin, open } = place
      await twoVersions(place)
      const [first] = (await open().changes(name)).items.filter(({ kind }) => kind === 'alias.moved')
      await open().setAlias(name, 'production', 2)
      return said(async () => {
        const changes = await admin().rollback({ name, toSeq: first?.seq ?? 1, reason: 'worse' })
        return `to ${changes.at(-1)?.to}`
      })
    },
  },
  {
    what: '`registry.follow`',
    shows: '`capabilities().live`; `status().live`',
    find: followed,
  },
  {
    what: '`admin.follow`',
    shows: '`INVALID_INPUT`',
    async find({ admin }) {
      const controller = new AbortController()
      return said(async () => {
        const first = await admin().follow({ signal: controller.signal }).next()
        controller.abort()
        return first.done ? 'nothing' : 'a stream'
      })
    },
  },
  {
    what: '`admin.whoami`, `tokens`, `policies`',
    shows: '`INVALID_INPUT`',
    async find({ admin }) {
      const answers = [
        await said(async () => (await admin().whoami()).actor),
        await said(async () => `${(await admin().tokens.list()).length} tokens`),
        await said(async () => `${(await admin().policies.list()).length} policies`),
      ]
      return [...new Set(answers)].join(', ')
    },
  },
  {
    what: "A version's text that somebody rewrites (its tag `mlflow.prompt.text`)",
    shows: 'strict: `DIGEST_MISMATCH`; else `prompt.fell_back` in the log',
    async find(place) {
      const { name, open, raw } = place
      await twoVersions(place)
      const body = { name, version: '1', key: 'mlflow.prompt.text', value: 'rewritten' }
      const status = await raw('POST', 'model-versions/set-tag', body)
      const loaded = await said(async () => `loads \`${(await open({ strict: true }).load(name)).template}\``)
      return `${status < 400 ? 'rewritten' : `refused (${status})`}; ${loaded}`
    },
  },
  {
    what: 'A prompt that is deleted and made again',
    shows: 'name, number and `digest` are the identity',
    async find(place) {
      const { name, open, raw } = place
      await twoVersions(place)
      await raw('DELETE', 'registered-models/delete', { name })
      const gone = await said(async () => (await open().load(name)).source)
      const { version } = await open().register({ name, template: 'anew' })
      return `${gone}; then it starts at version ${version}`
    },
  },
]

async function twoVersions({ name, open }: Place): Promise<void> {
  const registry = open()
  for (const template of ['one', 'two']) await registry.register({ name, template })
  await registry.setAlias(name, 'production', 1)
}

/** Between what the first compared and its write, a second one moves the alias to version 3. */
async function raced(place: Place): Promise<string> {
  const { url, name, open } = place
  await twoVersions(place)
  await open().register({ name, template: 'three' })
  let isFirst = true
  const transport = createMlflowTransport({
    trackingUri: url,
    env: {},
    fetch: async (input, init) => {
      const isWrite = init?.method === 'POST' && String(input).endsWith('/alias')
      if (isWrite && isFirst) {
        isFirst = false
        await open().setAlias(name, 'production', 3)
      }
      return fetch(input, init)
    },
  })
  const mine = await said(async () => {
    await transport.moveAlias({ name, alias: 'production', to: 2, expected: 1 })
    return 'moved'
  })
  const { aliases } = await open().find(name)
  const theirs = aliases.production === 3 ? 'the other move stands' : 'the other move is overwritten'
  return `${mine}: ${isFirst ? 'nothing happened in between' : theirs}`
}

async function followed(place: Place): Promise<string> {
  const { name, open } = place
  await twoVersions(place)
  const registry = open()
  await registry.load(name)
  let heard: () => void = () => undefined
  const hears = new Promise<void>((resolve) => {
    heard = resolve
  })
  const following = await registry.follow({ pollIntervalSeconds: 1, onChange: () => heard() })
  await following.ready
  await open().setAlias(name, 'production', 2)
  await hears
  const { version, source } = await registry.load(name)
  const { live } = registry.status()
  following.stop()
  return `\`${live}\`; the move is seen (version ${version}, ${source})`
}

/** An answer in words, or the code of the error. */
async function said(ask: () => Promise<string>): Promise<string> {
  try {
    return await ask()
  } catch (error) {
    if (!isRegistryError(error)) throw error
    return `\`${error.code}\``
  }
}
