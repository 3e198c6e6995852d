import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'
import { chooseVersion } from '@promptkeep/client/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { PROMPT_DEFAULTS } from '../apps/assistant/src/prompt-defaults.ts'
import { postChat, startAssistantWith } from './support/chat-http.ts'
import { freePort } from './support/free-port.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'

/** What the assistant does with a registry beside loading: following, rollouts, a snapshot. */

const BASE = 'orchestrator-base'
const LONG = { PROMPT_CACHE_TTL_SECONDS: '86400' }

async function startRun(trackingUri: string, env: Record<string, string> = {}) {
  const assistant = await startAssistantWith({ trackingUri, env, respond: () => ({ content: 'Yes.' }) })
  onTestFinished(() => assistant.stop())
  const { url, model } = assistant
  const instructions = () => model?.requests.map(({ body }) => body.messages[0]?.content) ?? []
  return {
    ...assistant,
    /** One turn of a user; the last event of its stream. */
    async say(user: string, conversation_id?: string) {
      const body = { message: 'Good evening', conversation_id }
      const { events } = await postChat(url, JSON.stringify(body), { headers: { 'x-user-id': user } })
      return events.at(-1)?.data
    },
    /** What is stored of the user's last answer in that conversation. */
    async stored(user: string, conversation_id: string) {
      const init = { headers: { 'x-user-id': user } }
      const { messages } = await (await fetch(`${url}/conversations/${conversation_id}`, init)).json()
      return messages.at(-1)
    },
    ready: async () => (await fetch(`${url}/ready`)).json(),
    /** What the model was told first in its last request. */
    told: () => String(instructions().at(-1)),
  }
}

function open(trackingUri: string) {
  const registry = createRegistry({ trackingUri, env: {}, cacheTtlSeconds: 0 })
  onTestFinished(() => registry.close())
  return registry
}

async function startServer(env: Record<string, string> = {}) {
  const server = await startRegistry(env)
  onTestFinished(() => server.stop())
  return server
}

const CAPTAIN = 'You are the captain of a ship in a storm.'

describe('following', () => {
  it('a moved alias is in the next turn, a day before the TTL ends; readiness and the fleet show it', async () => {
    const server = await startServer()
    const run = await startRun(server.url, LONG)
    await expect.poll(async () => (await run.ready()).registry.live, { timeout: 10_000 }).toBe('live')
    expect((await run.say('ada')).prompts[BASE]).toMatchObject({ version: 1 })
    const before = run.told()

    const registry = open(server.url)
    const { version } = await registry.register({ name: BASE, template: CAPTAIN })
    await registry.setAlias(BASE, 'production', version)
    const reach = async () => {
      const { prompts } = await (await fetch(`${server.url}/api/promptkeep/1.0/fleet?prompt=${BASE}`)).json()
      return prompts.flatMap(({ instances }: { instances: object[] }) => instances)
    }
    // The fleet tells when the assistant knows it: no turn had to ask.
    await expect.poll(reach, { timeout: 10_000 }).toMatchObject([{ app: 'assistant', version }])
    expect(JSON.stringify(await reach())).toContain(`:${new URL(run.url).port}"`)

    expect((await run.say('ada')).prompts[BASE]).toMatchObject({ version, source: 'cache' })
    expect(run.told()).toContain(CAPTAIN)
    expect(before).not.toContain(CAPTAIN)
    await run.stop()
    await expect.poll(reach, { timeout: 10_000 }).toEqual([])
  })

  it('a registry that is down at the start delays nothing, and is followed once it is up', async () => {
    const port = await freePort()
    const run = await startRun(`http://127.0.0.1:${port}`, LONG)
    expect((await run.say('ada')).prompts[BASE]).toMatchObject({ version: 0, source: 'default' })
    await expect.poll(async () => (await run.ready()).registry.live, { timeout: 20_000 }).toBe('down')
    await startServer({ PORT: String(port) })
    await expect.poll(async () => (await run.ready()).registry.live, { timeout: 60_000 }).toBe('live')
  }, 90_000)

  it.skipIf(mlflowSkip !== '')(
    `a stock MLflow is polled ${mlflowSkip}`,
    async () => {
      const server = await startMlflow()
      onTestFinished(() => server.stop())
      const run = await startRun(server.url, LONG)
      await expect.poll(async () => (await run.ready()).registry.live, { timeout: 30_000 }).toBe('polling')
      await run.say('ada')
      const registry = open(server.url)
      const { version } = await registry.register({ name: BASE, template: CAPTAIN })
      await registry.setAlias(BASE, 'production', version)
      await expect
        .poll(async () => (await run.say('ada')).prompts[BASE].version, { timeout: 60_000, interval: 1000 })
        .toBe(version)
    },
    180_000,
  )
})

const WEIGHTS = new Map([
  [1, 50],
  [2, 50],
])
/** Somebody on that side of `orchestrator-base`, by the choice that every reader makes. */
const userOn = (version: number) =>
  Array.from({ length: 50 }, (_, i) => `user-${i}`).find(
    (user) => chooseVersion(WEIGHTS, user, `${BASE}@production`) === version,
  ) ?? ''

describe('a rollout', () => {
  it('gives two users two versions, over all turns; the stored answers say which, and the model got that text', async () => {
    const server = await startServer()
    const run = await startRun(server.url)
    const registry = open(server.url)
    await registry.register({ name: BASE, template: CAPTAIN })
    await createAdmin({ trackingUri: server.url, env: {} }).rollout({ name: BASE, weights: { 1: 50, 2: 50 } })
    const texts = new Map([
      [1, String(PROMPT_DEFAULTS[BASE].template)],
      [2, CAPTAIN],
    ])

    const fingerprints = new Set<string>()
    for (const version of [1, 2]) {
      const user = userOn(version)
      await run.say(user)
      const { conversation_id } = await run.say(user)
      for (let turn = 0; turn < 2; turn++) {
        const { prompts, fingerprint } = await run.say(user, conversation_id)
        expect(prompts[BASE]).toMatchObject({ version, alias: 'production' })
        expect(run.told().startsWith(texts.get(version) ?? '?')).toBe(true)
        const stored = await run.stored(user, conversation_id)
        expect(stored.prompts[BASE]).toEqual(prompts[BASE])
        expect(stored.fingerprint).toBe(fingerprint)
        const { digest } = await registry.load(BASE, { version })
        expect(stored.prompts[BASE].digest).toBe(digest)
        fingerprints.add(fingerprint)
      }
    }
    expect(fingerprints.size).toBe(2)
  })

  it('of a version that no agent can use gives its users what the alias points at, and warns once', async () => {
    const server = await startServer()
    const run = await startRun(server.url)
    const registry = open(server.url)
    await registry.register({ name: BASE, template: 'Greet {{ nobody }}.' })
    await createAdmin({ trackingUri: server.url, env: {} }).rollout({ name: BASE, weights: { 1: 50, 2: 50 } })
    for (const version of [2, 1, 2]) {
      const { prompts } = await run.say(userOn(version))
      expect(prompts[BASE]).toMatchObject({ version: 1, alias: 'production' })
    }
    const warned = run.lines.filter(({ event }) => event === 'prompt.unusable')
    expect(warned).toMatchObject([{ prompt: BASE, version: 2, instead: 1 }])
  })
})

describe('PROMPT_SNAPSHOT_FILE', () => {
  async function snapshotIn() {
    const folder = await mkdtemp(join(tmpdir(), 'promptkeep-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    return { PROMPT_SNAPSHOT_FILE: join(folder, 'prompts.json') }
  }

  it('an assistant that starts while its registry is away answers with what production said, and says so', async () => {
    const env = await snapshotIn()
    const server = await startRegistry()
    const registry = open(server.url)
    const first = await startRun(server.url, env)
    const { version } = await registry.register({ name: BASE, template: CAPTAIN })
    await registry.setAlias(BASE, 'production', version)
    const { digest } = await registry.load(BASE)
    await expect
      .poll(async () => (await first.say('ada')).prompts[BASE].version, { timeout: 10_000 })
      .toBe(version)
    await first.stop()
    await server.stop()

    const second = await startRun(server.url, env)
    const { conversation_id, is_stored, prompts } = await second.say('ada')
    expect(is_stored).toBe(true)
    expect(prompts[BASE]).toMatchObject({ version, digest, alias: 'production', source: 'snapshot' })
    expect(second.told()).toContain(CAPTAIN)
    expect((await second.stored('ada', conversation_id)).prompts).toEqual(prompts)
    const { status, registry: told } = await second.ready()
    expect(status).toBe('degraded')
    expect(told).toMatchObject({
      state: 'down',
      last_fallback: { source: 'snapshot', code: expect.stringMatching(/^(UNAVAILABLE|TIMEOUT)$/) },
    })
  }, 60_000)

  it('that cannot be written costs a warning, and the answers come', async () => {
    const server = await startServer()
    const run = await startRun(server.url, {
      PROMPT_SNAPSHOT_FILE: join(tmpdir(), 'no-such-folder', 'x', 'p'),
    })
    expect((await run.say('ada')).prompts[BASE]).toMatchObject({ version: 1, source: 'registry' })
    await expect
      .poll(() => run.lines.filter(({ event }) => event === 'snapshot.not_written'), { timeout: 10_000 })
      .toMatchObject([{ level: 'warn' }])
  })
})
