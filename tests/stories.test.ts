import { createRegistry, type Registry } from '@promptkeep/client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { SPECIALIST_CARDS } from '../apps/assistant/src/agents/specialist-tool.ts'
import { demoReply } from '../apps/assistant/src/demo-model.ts'
import { PROMPT_NAMES } from '../apps/assistant/src/prompt-map.ts'
import { startTestRun } from '../apps/assistant/src/testing.ts'
import { say, startAssistant } from './support/assistant.ts'
import { freePort } from './support/free-port.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'

/** The four stories of the feature, as a user tells them, each on both kinds of server. */
const SERVERS = [
  { name: 'our server', skip: '', start: () => startRegistry() },
  { name: 'a stock MLflow server', skip: mlflowSkip, start: () => startMlflow() },
]

describe.each(SERVERS)('on $name', ({ start, skip }) => {
  describe.skipIf(skip !== '')(`stories ${skip}`, () => {
    let server: { url: string; stop(): Promise<void> }
    let registry: Registry

    beforeAll(async () => {
      server = await start()
      registry = createRegistry({ trackingUri: server.url, env: {}, cacheTtlSeconds: 0 })
    }, 120_000)
    afterAll(async () => {
      await registry?.close()
      await server?.stop()
    })

    it('seeds eleven prompts at the first start and touches none at the second', async () => {
      await using first = await startAssistant(server.url)
      expect(first.seeding.seeded).toHaveLength(11)
      expect(first.seeding.skipped).toEqual([])
      await using second = await startAssistant(server.url)
      expect(second.seeding.seeded).toEqual([])
      expect(second.seeding.skipped).toHaveLength(11)
      const { items } = await registry.list()
      expect(items.map(({ name }) => name).sort()).toEqual([...PROMPT_NAMES].sort())
      for (const { aliases, latestVersion } of items) {
        expect(aliases.production).toBe(1)
        expect(latestVersion).toBe(1)
      }
    })

    it('keeps a version as it was when the next one is registered, also with the same text', async () => {
      const first = await registry.register({ name: 'story-one', template: 'Be kind.' })
      const second = await registry.register({
        name: 'story-one',
        template: 'Be brief.',
        commitMessage: 'shorter',
      })
      const third = await registry.register({ name: 'story-one', template: 'Be brief.' })
      expect([first.version, second.version, third.version]).toEqual([1, 2, 3])
      expect((await registry.load('story-one', { version: 1 })).template).toBe('Be kind.')
      expect((await registry.load('prompts:/story-one/2')).template).toBe('Be brief.')
      const { items } = await registry.versions('story-one')
      expect(items.map(({ version, commitMessage }) => [version, commitMessage])).toEqual([
        [3, ''],
        [2, 'shorter'],
        [1, ''],
      ])
    })

    it('swaps what the assistant says within the TTL, without a restart', async () => {
      await using assistant = await startAssistant(server.url, { PROMPT_CACHE_TTL_SECONDS: '1' })
      const before = await say(assistant, 'Good evening')
      expect(before.final.prompts['orchestrator-base']).toMatchObject({ version: 1, alias: 'production' })

      const old = await registry.load('orchestrator-base', { alias: 'production' })
      const template = String(old.template).replace(/^Tone: .*$/m, 'Tone: like a ship’s captain in a storm.')
      const { version } = await registry.register({
        name: 'orchestrator-base',
        template,
        ...(old.modelConfig && { modelConfig: old.modelConfig }),
      })
      await registry.setAlias('orchestrator-base', 'experiment', version)
      const [production, experiment] = await Promise.all([
        registry.load('orchestrator-base'),
        registry.load('orchestrator-base', { alias: 'experiment' }),
      ])
      expect(production.template).toBe(old.template)
      expect(experiment.template).toBe(template)

      await registry.setAlias('orchestrator-base', 'production', version, { reason: 'the story' })
      await expect
        .poll(async () => (await say(assistant, 'Good evening')).final.prompts['orchestrator-base'].version, {
          timeout: 10_000,
          interval: 200,
        })
        .toBe(version)
      const after = await say(assistant, 'Good evening')
      expect(after.text).toContain('like a ship’s captain in a storm')
      expect(before.text).not.toContain('captain')
      await registry.setAlias('orchestrator-base', 'production', 1, { reason: 'and back' })
    })

    it('stores model settings with the text and sends them with every agent', async () => {
      const { version } = await registry.register({
        name: 'story-four',
        template: 'Be kind.',
        modelConfig: { temperature: 0.3, max_tokens: 77, top_k: 5, note: 'kept' },
      })
      const loaded = await registry.load('story-four', { version })
      expect(loaded.modelConfig).toEqual({ temperature: 0.3, max_tokens: 77, top_k: 5, note: 'kept' })

      // The first prompt of each agent gets settings of its own; the assistant's recorded requests must show them.
      const firsts = [
        'orchestrator-base',
        'memory',
        'weather',
        'knowledge-graph',
        'observation',
        'notification',
      ]
      for (const [index, name] of firsts.entries()) {
        const { template } = await registry.load(name)
        const modelConfig = { temperature: 0.1 + index / 10, max_tokens: 100 + index }
        const made = await registry.register({ name, template, modelConfig })
        await registry.setAlias(name, 'story-four', made.version)
      }
      const env = { PROMPT_ALIAS: 'story-four,production' }
      await using assistant = await startAssistant(server.url, env)
      await say(assistant, 'remember that I like figs')
      await say(assistant, 'what is the weather in Oslo?')
      const sent = assistant.requests.map(({ body }) => [body.temperature, body.max_tokens])
      for (const index of [0, 1, 2]) expect(sent).toContainEqual([0.1 + index / 10, 100 + index])

      // Those without tools are not reachable by chat yet: each is run alone, through its factory.
      for (const [specialist, index] of [
        ['knowledge', 3],
        ['proactive', 4],
        ['notification', 5],
      ] as const) {
        await using alone = await startTestRun({
          respond: demoReply,
          before: async (transport) => {
            for (const name of PROMPT_NAMES) {
              const { template, modelConfig } = await registry.load(name, {
                alias: ['story-four', 'production'],
              })
              const made = await transport.register({ name, template, modelConfig })
              await transport.moveAlias({ name, alias: 'production', to: made.version })
            }
          },
        })
        const agent = await SPECIALIST_CARDS[specialist].create(alone.deps, [])
        await alone.deps.models.runner.run(agent, 'Hello', { context: alone.context })
        expect(alone.endpoint.requests.map(({ body }) => [body.temperature, body.max_tokens])).toEqual([
          [0.1 + index / 10, 100 + index],
        ])
      }
    })
  })
})

describe('when the registry is away', () => {
  it('a restarted assistant answers from its bundled texts, warns, and shows the user no error', async () => {
    const server = await startRegistry()
    const before = await startAssistant(server.url)
    await before.stop()
    await server.stop()

    const began = performance.now()
    await using assistant = await startAssistant(server.url)
    expect(performance.now() - began).toBeLessThan(5_000)
    const asked = performance.now()
    const reply = await say(assistant, 'Good evening')
    expect(performance.now() - asked).toBeLessThan(5_000)

    expect(reply.last).toBe('done')
    expect(reply.text).not.toBe('')
    expect(reply.final.prompts['orchestrator-base']).toMatchObject({ version: 0, source: 'default' })
    const warned = assistant.lines.filter(
      ({ level, event }) => level === 'warn' && event === 'prompt.fell_back',
    )
    expect(warned.map(({ prompt }) => prompt)).toContain('orchestrator-base')
    expect(new Set(warned.map(({ prompt }) => prompt)).size, 'one warning a prompt and outage').toBe(
      warned.length,
    )
    const ready = await fetch(`${assistant.url}/ready`)
    expect(JSON.stringify(await ready.json())).toContain('UNAVAILABLE')
  })

  it('one that comes up later is seeded and used without a restart', async () => {
    const port = await freePort()
    await using assistant = await startAssistant(`http://127.0.0.1:${port}`, {
      PROMPT_CACHE_TTL_SECONDS: '1',
    })
    expect(assistant.seeding.seeded).toEqual([])
    const server = await startRegistry({ PORT: String(port) })
    onTestFinished(() => server.stop())
    const registry = createRegistry({ trackingUri: server.url, env: {} })
    onTestFinished(() => registry.close())
    await expect
      .poll(
        async () => (await registry.list()).items.filter(({ aliases }) => aliases.production === 1).length,
        {
          timeout: 60_000,
          interval: 250,
        },
      )
      .toBe(11)
    await expect
      .poll(async () => (await say(assistant, 'Good evening')).final.prompts['orchestrator-base'].version, {
        timeout: 15_000,
        interval: 250,
      })
      .toBe(1)
  }, 90_000)
})
