import { createMlflowTransport, createRegistry, type Registry } from '@promptkeep/client'
import { createMemoryTransport, type MemoryTransport } from '@promptkeep/client/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { PROMPT_DEFAULTS } from '../apps/assistant/src/prompt-defaults.ts'
import { PROMPT_NAMES, type PromptName } from '../apps/assistant/src/prompt-map.ts'
import { CASES, changedCases, type Recording, recordCases } from './support/behaviour.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'

/**
 * Wherever the prompts come from, the model is asked exactly the same: the committed recordings under
 * `golden/behaviour/` are what it is asked. A prompt that is edited on purpose changes them; after
 * `npx vitest run tests/behaviour-same.test.ts -u` the review shows what of it reaches the model, and in which cases.
 */
function open(transport?: MemoryTransport, trackingUri = 'http://127.0.0.1:9'): Registry {
  const registry = createRegistry({
    ...(transport ? { transport } : { transport: createMlflowTransport({ trackingUri, env: {} }) }),
    defaults: PROMPT_DEFAULTS,
    env: {},
  })
  onTestFinished(() => registry.close())
  return registry
}

async function seeded(registry: Registry): Promise<Registry> {
  const { seeded, failed } = await registry.seed()
  expect([seeded.length, failed]).toEqual([11, []])
  return registry
}

/** Sources of one run's prompts, to show that the case was about what it says. */
async function sourcesOf(registry: Registry): Promise<string[]> {
  const set = await registry.loadSet(PROMPT_NAMES)
  return [...new Set(PROMPT_NAMES.map((name) => set.get(name).source))]
}

/** Each request pretty-printed in its own order of keys; equal there and compact on the wire is equal to the byte. */
async function expectAsCommitted(recording: Recording) {
  for (const { name } of CASES) {
    const requests = recording[name] ?? []
    const bodies = requests.map((text) => JSON.parse(text) as unknown)
    expect(
      bodies.map((body) => JSON.stringify(body)),
      name,
    ).toEqual(requests)
    const file = `./golden/behaviour/${name.replaceAll(/\W+/g, '-')}.json`
    await expect(`${JSON.stringify(bodies, null, 2)}\n`, name).toMatchFileSnapshot(file)
  }
}

describe('the model is asked the same, to the byte,', () => {
  it('with prompts from a seeded registry', async () => {
    const registry = await seeded(open(createMemoryTransport()))
    await expectAsCommitted(await recordCases(registry))
    expect(await sourcesOf(registry)).toEqual(['cache'])
  })

  it('with the bundled defaults, when no registry answers', async () => {
    const registry = open()
    await expectAsCommitted(await recordCases(registry))
    expect(await sourcesOf(registry)).toEqual(['default'])
  })

  it('with prompts from our server', async () => {
    const server = await startRegistry()
    onTestFinished(() => server.stop())
    const registry = await seeded(open(undefined, server.url))
    await expectAsCommitted(await recordCases(registry))
    expect(await sourcesOf(registry)).toEqual(['cache'])
  })

  it.skipIf(mlflowSkip)(
    `with prompts from real MLflow ${mlflowSkip}`,
    async () => {
      const mlflow = await startMlflow()
      onTestFinished(() => mlflow.stop())
      const registry = await seeded(open(undefined, mlflow.url))
      await expectAsCommitted(await recordCases(registry))
      expect(await sourcesOf(registry)).toEqual(['cache'])
    },
    180_000,
  )
})

const EVERY_CHAT = ['chat, first meeting', 'chat, returning', 'chat, not known who']

/** Whose requests each prompt's text is in. */
const REACH: Readonly<Record<PromptName, readonly string[]>> = {
  'orchestrator-base': EVERY_CHAT,
  onboarding: ['chat, first meeting'],
  'proactive-greeting': ['chat, returning'],
  memory: ['chat, first meeting', 'memory alone'],
  'memory-write': ['chat, first meeting', 'memory alone'],
  weather: ['chat, returning', 'weather alone'],
  'knowledge-graph': ['knowledge alone'],
  observation: ['proactive alone'],
  calibration: ['proactive alone'],
  schedule: ['proactive alone'],
  notification: ['notification alone'],
}

describe('one character changed', () => {
  it.each(PROMPT_NAMES)(
    'in %s changes what the model is asked in the cases that use it, and in no other',
    async (name) => {
      const transport = createMemoryTransport()
      const before = await recordCases(await seeded(open(transport)))
      const text = PROMPT_DEFAULTS[name].template as string
      const last = text.length - 1
      const template = `${text.slice(0, last)}${text.at(last) === '!' ? '?' : '!'}`
      const { version } = await transport.register({
        name,
        template,
        modelConfig: PROMPT_DEFAULTS[name].modelConfig,
      })
      await transport.moveAlias({ name, alias: 'production', to: version })
      const after = await recordCases(open(transport))
      expect(changedCases(before, after)).toEqual(REACH[name])
    },
  )

  it('in a model config changes the settings of its agent', async () => {
    const transport = createMemoryTransport()
    const before = await recordCases(await seeded(open(transport)))
    const { template } = PROMPT_DEFAULTS.weather
    const { version } = await transport.register({
      name: 'weather',
      template,
      modelConfig: { temperature: 0.3 },
    })
    await transport.moveAlias({ name: 'weather', alias: 'production', to: version })
    const after = await recordCases(open(transport))
    expect(changedCases(before, after)).toEqual(REACH.weather)
  })
})
