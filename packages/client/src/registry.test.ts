import { describe, expect, it, onTestFinished } from 'vitest'
import { digestOf } from './digest.ts'
import { RegistryError } from './errors.ts'
import { createLogRecorder } from './log-recorder.ts'
import { createMemoryTransport } from './memory.ts'
import type { RegistryOptions } from './options.ts'
import { createRegistry } from './registry.ts'
import { TAG } from './wire-keys.ts'

const outage = new RegistryError('UNAVAILABLE', 'refused')
const down = { kind: 'error', error: outage } as const
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** A registry on memory whose clock stands still until a test moves it. */
function open(options: RegistryOptions = {}) {
  const clock = { ms: 1_700_000_000_000 }
  const now = () => clock.ms
  const transport = createMemoryTransport({ now })
  const log = createLogRecorder()
  const registry = createRegistry({
    transport,
    now,
    logger: log.logger,
    env: {},
    cacheTtlSeconds: 60,
    ...options,
  })
  onTestFinished(() => registry.close())
  const publish = async (name: string, template: string, alias = 'production') => {
    const { version } = await transport.plant({ name, template })
    await transport.moveAlias({ name, alias, to: version })
    return version
  }
  const asked = () =>
    transport.calls.filter(({ method }) => /^findBy/.test(method)).map(({ args }) => args[1])
  return { registry, transport, clock, log, publish, asked }
}

describe('the order of sources', () => {
  it('asks the registry first, then its cache while that is fresh', async () => {
    const { registry, publish, asked, clock } = open()
    await publish('memory', 'Remember {{ what }}')
    const first = await registry.load('memory')
    expect(first).toMatchObject({
      version: 1,
      alias: 'production',
      source: 'registry',
      isFallback: false,
      ageMs: 0,
    })
    expect(first.format({ what: 'notes' })).toBe('Remember notes')
    clock.ms += MINUTE_MS - 1
    expect(await registry.load('memory')).toMatchObject({ source: 'cache', ageMs: MINUTE_MS - 1 })
    clock.ms += 1
    expect(await registry.load('memory')).toMatchObject({ source: 'registry', ageMs: 0 })
    expect(asked()).toHaveLength(2)
  })

  it('in an outage serves the last good value, then the default, then the error itself', async () => {
    const { registry, publish, transport, clock } = open({
      defaults: { weather: { template: 'Bundled', modelConfig: { temperature: 0 } } },
    })
    await publish('memory', 'Registry')
    await registry.load('memory')
    clock.ms += DAY_MS
    transport.fault(down)
    expect(await registry.load('memory')).toMatchObject({
      source: 'stale',
      version: 1,
      isFallback: false,
      ageMs: DAY_MS,
    })
    const fallback = await registry.load('weather')
    expect(fallback).toMatchObject({
      source: 'default',
      version: 0,
      isFallback: true,
      template: 'Bundled',
      ageMs: 0,
    })
    expect(fallback).not.toHaveProperty('alias')
    expect(fallback.digest).toBe(await digestOf({ template: 'Bundled', modelConfig: { temperature: 0 } }))
    await expect(registry.load('other')).rejects.toBe(outage)
  })

  it('a registry that never answers costs the time limit once; then nobody asks', async () => {
    const { registry, transport, asked } = open({ timeoutMs: 30, defaults: { memory: 'Bundled' } })
    transport.fault({ kind: 'hang' })
    for (let i = 0; i < 5; i++) expect(await registry.load('memory')).toMatchObject({ source: 'default' })
    await expect(registry.load('other')).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(asked()).toHaveLength(1)
  })

  it('after a pause one load probes, and its answer ends the outage for all', async () => {
    const { registry, transport, publish, clock, asked } = open({ defaults: { memory: 'Bundled' } })
    await publish('memory', 'Registry')
    transport.fault(down)
    await registry.load('memory')
    clock.ms += 1_000
    transport.fault()
    expect(await registry.load('memory')).toMatchObject({ source: 'registry' })
    expect(asked()).toHaveLength(2)
    expect(registry.status().state).toBe('up')
  })

  const names = ['a', 'b', 'c', 'd']

  it('after an outage one set is all live: who has nothing waits for the probe', async () => {
    const { registry, transport, publish, clock, asked } = open({
      defaults: Object.fromEntries(names.map((name) => [name, 'Bundled'])),
    })
    for (const name of names) await publish(name, 'Registry')
    transport.fault({ kind: 'error', error: outage })
    const before = await registry.loadSet(names)
    expect(names.map((name) => before.get(name).source)).toEqual(Array(4).fill('default'))
    const askedBefore = asked().length
    clock.ms += 1_400
    transport.fault({ kind: 'slow', ms: 30 })
    const after = await registry.loadSet(names)
    expect(names.map((name) => after.get(name).source)).toEqual(Array(4).fill('registry'))
    expect(asked().length - askedBefore).toBe(4)
  })

  it('while the outage lasts one probe is paid for by all who have nothing', async () => {
    const { registry, transport, clock, asked } = open({
      timeoutMs: 30,
      defaults: Object.fromEntries(names.map((name) => [name, 'Bundled'])),
    })
    transport.fault({ kind: 'hang' })
    await registry.load('a')
    clock.ms += 1_000
    const set = await registry.loadSet(names)
    expect(names.map((name) => set.get(name).source)).toEqual(Array(4).fill('default'))
    expect(asked()).toHaveLength(2)
  })

  it('who has an older value gives a probe one grace, and gets the newer value if it comes', async () => {
    const { registry, transport, publish, clock } = open()
    for (const name of names) await publish(name, 'old')
    await registry.loadSet(names)
    for (const name of names) await publish(name, 'new')
    clock.ms += MINUTE_MS
    transport.fault(down)
    await registry.load('a')
    clock.ms += 1_000
    transport.fault({ kind: 'slow', ms: 20 })
    const set = await registry.loadSet(names)
    expect(names.map((name) => set.get(name).template)).toEqual(Array(4).fill('new'))
    transport.fault(down)
    clock.ms += MINUTE_MS
    await registry.load('a')
    clock.ms += 1_000
    transport.fault({ kind: 'hang' })
    const probing = registry.load('a')
    clock.ms += 250
    expect(await registry.load('b')).toMatchObject({ source: 'stale' }) // it does not wait for the hanging probe
    expect(await probing).toMatchObject({ source: 'stale' })
  })

  it('a slow answer does not hold up a load that has an older value, and is there for the next', async () => {
    const { registry, transport, publish, clock } = open()
    await publish('memory', 'old')
    await registry.load('memory')
    await publish('memory', 'new')
    clock.ms += MINUTE_MS
    transport.fault({ kind: 'slow', ms: 400 })
    expect(await registry.load('memory')).toMatchObject({ source: 'stale', template: 'old' })
    await expect.poll(async () => (await registry.load('memory')).template).toBe('new')
    expect(transport.calls.filter(({ method }) => method === 'findByAlias')).toHaveLength(2)
  })

  it('an answer within the grace is used', async () => {
    const { registry, transport, publish, clock } = open()
    await publish('memory', 'old')
    await registry.load('memory')
    await publish('memory', 'new')
    clock.ms += MINUTE_MS
    transport.fault({ kind: 'slow', ms: 20 })
    expect(await registry.load('memory')).toMatchObject({ source: 'registry', template: 'new' })
  })

  it('a load that says how old an answer may be waits for a slow one', async () => {
    const { registry, transport, publish } = open()
    await publish('memory', 'old')
    await registry.load('memory')
    await publish('memory', 'new')
    transport.fault({ kind: 'slow', ms: 400 })
    expect(await registry.load('memory', { maxAgeMs: 0 })).toMatchObject({
      source: 'registry',
      template: 'new',
    })
  })

  it('a clock that is set back makes nothing fresh for ever', async () => {
    const { registry, publish, clock } = open()
    await publish('memory', 'x')
    await registry.load('memory')
    clock.ms -= DAY_MS
    expect(await registry.load('memory')).toMatchObject({ source: 'registry', ageMs: 0 })
  })

  it.each([
    undefined,
    null,
    'text',
    {},
    { name: 'memory', version: 1 },
    { name: 'memory', version: 1, template: 'x', tags: {}, digest: 5 },
  ])('an answer of another shape (%j) is an outage', async (answer) => {
    const { registry, transport } = open({ defaults: { memory: 'Bundled' } })
    transport.fault({ kind: 'wrong', answer })
    expect(await registry.load('memory')).toMatchObject({ source: 'default' })
    expect(registry.status()).toMatchObject({ state: 'down', lastError: { code: 'UNAVAILABLE' } })
  })

  it.each([[{ role: 'user', content: 5 }], [{ content: [null] }]])(
    'one version that cannot be read (%j) takes nothing else down: its default with a WARN; strict: the error',
    async (message) => {
      const { registry, transport, publish, log } = open({
        defaults: { memory: 'Bundled', weather: 'Bundled' },
      })
      await publish('weather', 'Registry')
      await transport.plant({ name: 'memory', template: [message] as never })
      expect(await registry.load('memory/1')).toMatchObject({ source: 'default' })
      expect(await registry.load('weather')).toMatchObject({ source: 'registry', template: 'Registry' })
      expect(registry.status()).toMatchObject({ state: 'up', lastError: { code: 'INVALID_INPUT' } })
      expect(log.of('prompt.fell_back').map(({ fields }) => [fields.prompt, fields.code])).toEqual([
        ['memory', 'INVALID_INPUT'],
      ])
      const strict = open({ strict: true, defaults: { memory: 'Bundled' } })
      await strict.transport.plant({ name: 'memory', template: [message] as never })
      await expect(strict.registry.load('memory/1')).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('prompt "memory" version 1 at memory: cannot be read'),
      })
    },
  )

  it('a transport that throws something else is an outage, too', async () => {
    const { registry, transport } = open({ defaults: { memory: 'Bundled' } })
    transport.fault({ kind: 'error', error: new TypeError('x is not a function') })
    expect(await registry.load('memory')).toMatchObject({ source: 'default' })
    await expect(registry.load('other')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('absence, refusal and outage differ', () => {
  it.each([
    { what: 'prompt', name: 'nothing', alias: 'production', code: 'PROMPT_NOT_FOUND' },
    { what: 'alias', name: 'memory', alias: 'ghost', code: 'ALIAS_NOT_FOUND' },
  ])(
    'no such $what: an error without a default, else the default and a WARN with the cause',
    async ({ name, alias, code }) => {
      const { registry, publish, log } = open({ defaults: { nothing: 'Bundled', memory: 'Bundled' } })
      await publish('memory', 'Registry')
      expect(await registry.load(name, { alias })).toMatchObject({ source: 'default', template: 'Bundled' })
      expect(
        log.of('prompt.fell_back').map(({ level, fields }) => [level, fields.prompt, fields.code]),
      ).toEqual([['warn', name, code]])
      expect(registry.status()).toMatchObject({ state: 'up', lastFallback: { prompt: name, alias, code } })
      expect(await registry.load(name, { alias, allowMissing: true })).toBeUndefined()
      const strict = open({ strict: true, defaults: { nothing: 'Bundled', memory: 'Bundled' } })
      await strict.publish('memory', 'Registry')
      await expect(strict.registry.load(name, { alias })).rejects.toMatchObject({ code })
    },
  )

  it('allowMissing hides absence only', async () => {
    const { registry, transport } = open({ defaults: { memory: 'Bundled' } })
    transport.fault(down)
    await expect(registry.load('memory', { allowMissing: true })).rejects.toBe(outage)
  })

  it.each(['UNAUTHENTICATED', 'FORBIDDEN', 'INVALID_INPUT'] as const)(
    '%s keeps the last good value, and is asked again',
    async (code) => {
      const { registry, transport, publish, clock, asked } = open({ defaults: { weather: 'Bundled' } })
      await publish('memory', 'x')
      await registry.load('memory')
      clock.ms += MINUTE_MS
      transport.fault({ kind: 'error', error: new RegistryError(code, 'no') })
      expect(await registry.load('memory')).toMatchObject({ source: 'stale' })
      expect(await registry.load('weather')).toMatchObject({ source: 'default' })
      expect(registry.status()).toMatchObject({ state: 'up', lastError: { code } })
      expect(asked()).toHaveLength(3)
    },
  )

  it('a prompt that is gone is not served from memory', async () => {
    const { registry, transport, publish, clock } = open()
    await publish('memory', 'x')
    await registry.load('memory')
    transport.remove('memory')
    clock.ms += MINUTE_MS
    await expect(registry.load('memory')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
  })

  it('an empty text counts as absent', async () => {
    const { registry, publish } = open({ defaults: { memory: 'Bundled' } })
    await publish('memory', ' \n ')
    await publish('other', '')
    expect(await registry.load('memory')).toMatchObject({ source: 'default' })
    await expect(registry.load('other')).rejects.toMatchObject({
      code: 'VERSION_NOT_FOUND',
      message: expect.stringContaining('empty text'),
    })
  })

  it('absence is believed for five seconds', async () => {
    const { registry, publish, clock, asked } = open()
    for (let i = 0; i < 3; i++)
      await expect(registry.load('memory')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
    expect(asked()).toHaveLength(1)
    await publish('memory', 'x')
    clock.ms += 5_000
    expect(await registry.load('memory')).toMatchObject({ version: 1 })
  })
})

describe('strict', () => {
  it('takes the registry or a fresh cache, and nothing else', async () => {
    const { registry, transport, publish, clock } = open({
      strict: true,
      defaults: { memory: 'Bundled', weather: 'Bundled' },
    })
    await publish('memory', 'x')
    expect((await registry.load('memory')).source).toBe('registry')
    transport.fault(down)
    expect((await registry.load('memory')).source).toBe('cache')
    clock.ms += MINUTE_MS
    await expect(registry.load('memory')).rejects.toBe(outage)
    await expect(registry.load('weather')).rejects.toBe(outage)
  })

  it('waits for a slow registry as long as for a first answer', async () => {
    const { registry, transport, publish, clock } = open({ strict: true })
    await publish('memory', 'x')
    await registry.load('memory')
    clock.ms += MINUTE_MS
    transport.fault({ kind: 'slow', ms: 300 })
    expect((await registry.load('memory')).source).toBe('registry')
  })
})

describe('alias chains', () => {
  const chain = ['experiment', 'production']

  it('the first alias that the prompt has answers, and is recorded', async () => {
    const { registry, publish } = open({ alias: chain })
    await publish('memory', 'stable')
    await publish('weather', 'stable')
    await publish('weather', 'candidate', 'experiment')
    expect(await registry.load('memory')).toMatchObject({ alias: 'production', template: 'stable' })
    expect(await registry.load('weather')).toMatchObject({ alias: 'experiment', template: 'candidate' })
  })

  it('an outage never falls through to the next alias', async () => {
    const { registry, transport, publish } = open({ alias: chain })
    await publish('memory', 'stable')
    transport.fault({ ...down, times: 1 })
    await expect(registry.load('memory')).rejects.toBe(outage)
  })

  it('in an outage the last answer of the chain stands', async () => {
    const { registry, transport, publish, clock } = open({ alias: chain })
    await publish('memory', 'stable')
    await registry.load('memory')
    clock.ms += DAY_MS
    transport.fault(down)
    expect(await registry.load('memory')).toMatchObject({ source: 'stale', alias: 'production' })
  })

  it('no alias of the chain: one error that names them all', async () => {
    const { registry, publish } = open({ alias: chain })
    await publish('memory', 'x', 'other')
    await expect(registry.load('memory')).rejects.toMatchObject({
      code: 'ALIAS_NOT_FOUND',
      message: 'prompt "memory" has none of the aliases "experiment", "production" at memory:',
    })
  })

  it.each([false, true])(
    'an empty text leads on to the next alias, with one WARN (strict: %s)',
    async (strict) => {
      const { registry, publish, log, clock } = open({
        alias: chain,
        strict,
        defaults: { memory: 'Bundled' },
      })
      await publish('memory', 'stable')
      await publish('memory', ' ', 'experiment')
      for (const source of ['registry', 'cache', 'registry']) {
        expect(await registry.load('memory')).toMatchObject({
          alias: 'production',
          template: 'stable',
          source,
        })
        if (source === 'cache') clock.ms += MINUTE_MS
      }
      expect(log.of('prompt.fell_back').map(({ level, fields }) => [level, fields])).toEqual([
        [
          'warn',
          expect.objectContaining({
            prompt: 'memory',
            source: 'registry',
            code: 'VERSION_NOT_FOUND',
            err: expect.objectContaining({
              message: expect.stringContaining('version 2 at memory: has an empty text'),
            }),
          }),
        ],
      ])
    },
  )

  it('an empty text and no other alias: the error names the empty one', async () => {
    const { registry, publish } = open({ alias: chain })
    await publish('memory', '', 'experiment')
    await expect(registry.load('memory')).rejects.toMatchObject({
      code: 'VERSION_NOT_FOUND',
      message: expect.stringContaining('empty text'),
    })
  })

  it('a missing prompt is not asked for under every alias', async () => {
    const { registry, asked } = open({ alias: chain })
    await expect(registry.load('memory')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
    expect(asked()).toEqual(['experiment'])
  })

  it('a new candidate is seen although the old answer of the chain is fresh', async () => {
    const { registry, publish, clock } = open({ alias: chain })
    await publish('memory', 'stable')
    await registry.load('memory')
    await publish('memory', 'candidate', 'experiment')
    clock.ms += 5_000
    expect(await registry.load('memory')).toMatchObject({ alias: 'experiment', template: 'candidate' })
  })
})

describe('identity', () => {
  const wrong = async (template: string, more = {}) => ({
    name: 'memory',
    version: 1,
    template,
    tags: {},
    aliases: [],
    commitMessage: '',
    createdAt: 1_700_000_000_000,
    digest: await digestOf({ template }),
    ...more,
  })

  it('a version whose content changed is not served: the text that was seen first is, under every alias', async () => {
    const { registry, transport, publish, clock, log } = open({ defaults: { memory: 'Bundled' } })
    await publish('memory', 'original')
    const first = await registry.load('memory')
    clock.ms += MINUTE_MS
    transport.fault({ kind: 'wrong', answer: await wrong('tampered') })
    for (const reference of ['memory', 'memory@other', 'memory']) {
      expect(await registry.load(reference)).toMatchObject({
        source: 'stale',
        template: 'original',
        digest: first.digest,
        ageMs: MINUTE_MS,
      })
    }
    expect(registry.status()).toMatchObject({ state: 'up', lastError: { code: 'DIGEST_MISMATCH' } })
    expect(log.of('prompt.fell_back').map(({ level, fields }) => [level, fields.code])).toEqual([
      ['warn', 'DIGEST_MISMATCH'],
    ])
    const strict = open({ strict: true })
    await strict.publish('memory', 'original')
    await strict.registry.load('memory')
    strict.transport.fault({ kind: 'wrong', answer: await wrong('tampered') })
    await expect(strict.registry.load('memory', { maxAgeMs: 0 })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
  })

  it('a version that is not what its digest tag says: its text with a WARN, never the default; strict: the error', async () => {
    const tag = await digestOf({ template: 'y' })
    const digest = await digestOf({ template: 'x' })
    const answer = await wrong('x', { tags: { [TAG.digest]: tag } })
    const { registry, transport, log, clock } = open({ defaults: { memory: 'Bundled' } })
    transport.fault({ kind: 'wrong', answer })
    expect(await registry.load('memory')).toMatchObject({
      source: 'registry',
      template: 'x',
      version: 1,
      digest,
    })
    expect(await registry.load('memory')).toMatchObject({ source: 'cache', template: 'x' })
    clock.ms += MINUTE_MS
    expect(await registry.load('memory')).toMatchObject({ source: 'registry', template: 'x' })
    expect(log.of('prompt.fell_back').map(({ level, fields }) => [level, fields])).toEqual([
      ['warn', expect.objectContaining({ prompt: 'memory', source: 'registry', code: 'DIGEST_MISMATCH' })],
    ])
    expect(registry.status().lastFallback?.message).toBe(
      `prompt "memory" version 1 at memory: was changed after it was registered: its digest is ${digest}, and was ${tag}`,
    )
    const strict = open({ strict: true, defaults: { memory: 'Bundled' } })
    strict.transport.fault({ kind: 'wrong', answer })
    await expect(strict.registry.load('memory')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  })

  it('a version that is mended is served again, and one that is rewritten with its digest tag is not', async () => {
    const { registry, transport, clock } = open()
    const load = async (template: string, tagged: string) => {
      const tags = { [TAG.digest]: await digestOf({ template: tagged }) }
      transport.fault({ kind: 'wrong', answer: await wrong(template, { tags }) })
      clock.ms += MINUTE_MS
      return (await registry.load('memory')).template
    }
    expect(await load('broken', 'x')).toBe('broken')
    expect(await load('x', 'x')).toBe('x')
    expect(await load('y', 'y')).toBe('x')
    expect(await load('x', 'y')).toBe('x')
    expect(await load('y', 'y')).toBe('x')
  })

  it('version 1 of a prompt that was deleted and made anew is another version', async () => {
    const { registry, transport, publish, clock } = open()
    await publish('memory', 'old')
    expect(await registry.load('memory/1')).toMatchObject({ template: 'old' })
    transport.remove('memory')
    clock.ms += MINUTE_MS
    await publish('memory', 'new')
    expect(await registry.load('memory')).toMatchObject({ version: 1, template: 'new' })
    expect(await registry.load('memory/1')).toMatchObject({ template: 'new' })
  })

  it('a version by number is asked for once a day', async () => {
    const { registry, publish, clock, asked } = open()
    await publish('memory', 'x')
    await registry.load('memory', { version: 1 })
    clock.ms += DAY_MS - 1
    const pinned = await registry.load('memory', { version: 1 })
    expect(pinned).toMatchObject({ source: 'cache', version: 1 })
    expect(pinned).not.toHaveProperty('alias')
    clock.ms += 1
    expect(await registry.load('memory', { version: 1 })).toMatchObject({ source: 'registry' })
    expect(asked()).toEqual([1, 1])
  })

  it('alias "2" and version 2 never meet in the cache', async () => {
    const { registry, publish } = open()
    await publish('memory', 'one', '2')
    await publish('memory', 'two')
    expect((await registry.load('memory@2')).template).toBe('one')
    expect((await registry.load('memory/2')).template).toBe('two')
    expect((await registry.load('memory@2')).template).toBe('one')
  })
})

describe('freshness', () => {
  it('concurrent loads share one request', async () => {
    const { registry, publish, asked } = open()
    await publish('memory', 'x')
    const prompts = await Promise.all(Array.from({ length: 50 }, () => registry.load('memory')))
    expect(new Set(prompts.map(({ digest }) => digest)).size).toBe(1)
    expect(asked()).toHaveLength(1)
  })

  it('with a TTL of 0 every load asks, and an outage still finds the last good value', async () => {
    const { registry, transport, publish, asked } = open({ cacheTtlSeconds: 0 })
    await publish('memory', 'x')
    for (let i = 0; i < 3; i++) expect((await registry.load('memory')).source).toBe('registry')
    expect(asked()).toHaveLength(3)
    transport.fault(down)
    expect((await registry.load('memory')).source).toBe('stale')
  })

  it('a load may ask for a fresher value than the TTL, or be content with an older one', async () => {
    const { registry, publish, clock } = open()
    await publish('memory', 'x')
    await registry.load('memory')
    clock.ms += 10
    expect((await registry.load('memory', { maxAgeMs: 10 })).source).toBe('registry')
    clock.ms += DAY_MS
    expect((await registry.load('memory', { maxAgeMs: 2 * DAY_MS })).source).toBe('cache')
    expect((await registry.load('memory', { maxAgeMs: 0 })).source).toBe('registry')
  })

  it("sees this process's own move at once, even of a request that is under way", async () => {
    const { registry, transport, publish, log } = open()
    await publish('memory', 'one')
    await registry.load('memory')
    await registry.register({ name: 'memory', template: 'two' })
    transport.fault({ kind: 'slow', ms: 60, times: 1, only: 'findByAlias' })
    const underWay = registry.load('memory', { maxAgeMs: 0 })
    const change = await registry.setAlias('memory', 'production', 2, { expected: 1, reason: 'better' })
    expect(change).toMatchObject({ from: 1, to: 2, reason: 'better' })
    expect(await registry.load('memory')).toMatchObject({ version: 2, source: 'cache' })
    await underWay
    expect(await registry.load('memory')).toMatchObject({ version: 2 })
    expect(log.of('alias.moved').map(({ fields }) => fields)).toEqual([
      { prompt: 'memory', alias: 'production', from: 1, to: 2, reason: 'better' },
    ])
  })

  it('sees what it registered under latest at once', async () => {
    const { registry } = open()
    await registry.register({ name: 'memory', template: 'one' })
    await registry.load('memory@latest')
    await registry.register({ name: 'memory', template: 'two' })
    expect(await registry.load('memory@latest')).toMatchObject({ version: 2 })
  })

  it("sees this process's own move when the number is known from before the prompt was made anew", async () => {
    const { registry, transport, publish, clock } = open()
    await publish('memory', 'old')
    await registry.load('memory')
    await registry.load('memory/1')
    transport.remove('memory')
    clock.ms += 1
    await transport.plant({ name: 'memory', template: 'new' })
    await registry.setAlias('memory', 'production', 1)
    expect(await registry.load('memory')).toMatchObject({ source: 'cache', template: 'new' })
    expect(await registry.load('memory/1')).toMatchObject({ template: 'new' })
  })

  it.each(['register and setAlias', 'seed'])(
    'sees its own %s of what was absent, under a chain, too',
    async (how) => {
      const { registry } = open({ alias: ['experiment', 'production'], defaults: { memory: 'Bundled' } })
      expect(await registry.load('memory')).toMatchObject({ source: 'default' })
      if (how === 'seed') await registry.seed()
      else {
        await registry.register({ name: 'memory', template: 'Bundled' })
        await registry.setAlias('memory', 'production', 1)
      }
      expect(await registry.load('memory')).toMatchObject({ version: 1, alias: 'production' })
    },
  )

  it('sees a version that it registered, though that was absent a moment ago', async () => {
    const { registry, publish, transport } = open()
    await publish('memory', 'one')
    await expect(registry.load('memory', { version: 2 })).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
    transport.fault({ kind: 'slow', ms: 30, only: 'findByVersion', times: 1 })
    const underWay = registry.load('memory', { version: 3 }).catch(() => {})
    await registry.register({ name: 'memory', template: 'two' })
    expect(await registry.load('memory', { version: 2 })).toMatchObject({ template: 'two' })
    await underWay
    await registry.register({ name: 'memory', template: 'three' })
    expect(await registry.load('memory', { version: 3 })).toMatchObject({ template: 'three' })
  })

  it('a lost comparison says what is current', async () => {
    const { registry, publish } = open()
    await publish('memory', 'one')
    await expect(registry.setAlias('memory', 'production', 1, { expected: null })).rejects.toMatchObject({
      code: 'CONFLICT',
      current: 1,
    })
  })
})

describe('the value', () => {
  it('is frozen all the way down, and format gives copies', async () => {
    const { registry } = open()
    await registry.register({
      name: 'chat',
      template: [{ role: 'user', content: [{ type: 'text', text: '{{ a }}' }] }],
      modelConfig: { stop_sequences: ['x'] },
      tags: { team: 'a' },
    })
    await registry.setAlias('chat', 'production', 1)
    const prompt = await registry.load('chat')
    const reach = [
      prompt,
      prompt.template,
      prompt.template[0],
      prompt.modelConfig,
      prompt.modelConfig?.stop_sequences,
      prompt.tags,
      prompt.variables,
    ]
    expect(reach.map((part) => Object.isFrozen(part))).toEqual(reach.map(() => true))
    const [message] = prompt.format({ a: '1' }) as unknown as { content: { text: string }[] }[]
    expect(Object.isFrozen(message)).toBe(false)
    expect(message?.content[0]?.text).toBe('1')
    expect(prompt.variables).toEqual(['a'])
  })

  it('names itself when it cannot be formatted', async () => {
    const { registry, publish } = open()
    await publish('memory', '{{ a }}')
    const prompt = await registry.load('memory')
    expect(() => prompt.format({})).toThrow(
      expect.objectContaining({
        code: 'MISSING_VARIABLES',
        message: 'prompt "memory" version 1: missing variable "a"',
      }),
    )
  })
})

describe('giving up', () => {
  it("rejects with the caller's reason, default or not, and leaves others their answer", async () => {
    const { registry, transport, publish } = open({ defaults: { memory: 'Bundled' } })
    await publish('memory', 'x')
    transport.fault({ kind: 'slow', ms: 50 })
    const controller = new AbortController()
    const reason = new Error('user left')
    const [mine, theirs] = [registry.load('memory', { signal: controller.signal }), registry.load('memory')]
    controller.abort(reason)
    await expect(mine).rejects.toBe(reason)
    expect(await theirs).toMatchObject({ source: 'registry' })
    await expect(registry.load('memory', { signal: controller.signal })).rejects.toBe(reason)
  })

  it('a closed registry ends what is under way and refuses the rest', async () => {
    const { registry, transport } = open({ defaults: { memory: 'Bundled' } })
    transport.fault({ kind: 'hang' })
    const underWay = registry.load('memory')
    await registry.close()
    await expect(underWay).rejects.toMatchObject({ message: 'this registry was closed' })
    await expect(registry.load('memory')).rejects.toMatchObject({ message: 'this registry was closed' })
    await expect(registry.list()).rejects.toMatchObject({ message: 'this registry was closed' })
  })
})

describe('sets', () => {
  it('resolves together, with one line in the log', async () => {
    const { registry, publish, log } = open({ defaults: { other: 'Bundled' } })
    await publish('memory', 'm')
    await publish('weather', 'w', 'beta')
    const set = await registry.loadSet(['memory', 'prompts:/weather@beta', 'other'], {
      logFields: { correlationId: 'c1' },
    })
    expect(set.names).toEqual(['memory', 'weather', 'other'])
    expect(set.get('weather').template).toBe('w')
    expect(set.versions).toMatchObject({
      memory: {
        version: 1,
        alias: 'production',
        source: 'registry',
        digest: set.get('memory').digest,
        ageMs: 0,
      },
      other: { version: 0, source: 'default' },
    })
    expect(log.of('prompt.loaded')).toEqual([])
    expect(log.of('prompts.resolved').map(({ level, fields }) => [level, fields])).toEqual([
      [
        'info',
        {
          prompts: {
            memory: { version: 1, alias: 'production', source: 'registry', isFallback: false },
            weather: { version: 1, alias: 'beta', source: 'registry', isFallback: false },
            other: { version: 0, source: 'default', isFallback: true },
          },
          fingerprint: set.fingerprint,
          correlationId: 'c1',
        },
      ],
    ])
    expect(() => set.get('nothing')).toThrow(/"nothing" is not in this set; it holds memory, weather, other/)
  })

  it('its fingerprint depends on what was resolved, and not on the order', async () => {
    const { registry, publish } = open()
    await publish('a', '1')
    await publish('b', '1')
    const { fingerprint } = await registry.loadSet(['a', 'b'])
    expect((await registry.loadSet(['b', 'a'])).fingerprint).toBe(fingerprint)
    expect((await registry.loadSet(['a'])).fingerprint).not.toBe(fingerprint)
    await registry.register({ name: 'b', template: '1' })
    await registry.setAlias('b', 'production', 2)
    expect((await registry.loadSet(['a', 'b'])).fingerprint).not.toBe(fingerprint)
  })

  it('is pinned: a later swap is not seen by it', async () => {
    const { registry, publish } = open()
    await publish('a', 'one')
    const set = await registry.loadSet(['a'])
    await registry.register({ name: 'a', template: 'two' })
    await registry.setAlias('a', 'production', 2)
    expect(set.get('a').template).toBe('one')
    expect((await registry.load('a')).template).toBe('two')
  })

  it('is refused when a prompt is in it twice, or when one fails', async () => {
    const { registry, publish } = open()
    await publish('a', 'one')
    await expect(registry.loadSet(['a', 'a@production'])).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await expect(registry.loadSet(['a', 'b'])).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
    expect((await registry.loadSet([])).names).toEqual([])
  })
})

describe('the log', () => {
  it('has one line a load: debug from the cache, else info; with the fields of the caller, never a text', async () => {
    const { registry, publish, log, transport, clock } = open({ defaults: { other: 'SECRET' } })
    await publish('memory', 'SECRET')
    const logFields = { correlationId: 'c1' }
    await registry.load('memory', { logFields })
    await registry.load('memory')
    transport.fault(down)
    await registry.load('other', { logFields })
    clock.ms += MINUTE_MS
    await registry.load('memory', { logFields })
    expect(log.of('prompt.loaded').map(({ level, fields }) => [level, fields])).toEqual([
      [
        'info',
        {
          prompt: 'memory',
          version: 1,
          alias: 'production',
          source: 'registry',
          isFallback: false,
          correlationId: 'c1',
        },
      ],
      ['debug', { prompt: 'memory', version: 1, alias: 'production', source: 'cache', isFallback: false }],
      ['info', { prompt: 'other', version: 0, source: 'default', isFallback: true, correlationId: 'c1' }],
      [
        'info',
        {
          prompt: 'memory',
          version: 1,
          alias: 'production',
          source: 'stale',
          isFallback: false,
          correlationId: 'c1',
        },
      ],
    ])
    expect(log.of('prompt.fell_back').map(({ level, fields }) => [level, fields])).toEqual([
      [
        'warn',
        {
          prompt: 'other',
          alias: 'production',
          source: 'default',
          code: 'UNAVAILABLE',
          err: outage,
          correlationId: 'c1',
        },
      ],
      [
        'warn',
        {
          prompt: 'memory',
          alias: 'production',
          source: 'stale',
          code: 'UNAVAILABLE',
          err: outage,
          correlationId: 'c1',
        },
      ],
    ])
    expect(JSON.stringify(log.lines)).not.toContain('SECRET')
  })

  it('warns once per prompt and outage, and again in the next outage', async () => {
    const { registry, publish, log, transport, clock } = open({ defaults: { a: 'A', b: 'B' } })
    await publish('healthy', 'x')
    const outageOf = async (name: string) => {
      transport.fault(down)
      await registry.load(name)
      await registry.load(name)
      transport.fault()
      clock.ms += MINUTE_MS
      await registry.load('healthy')
    }
    await outageOf('a')
    await outageOf('b')
    await outageOf('a')
    expect(log.of('prompt.fell_back').map(({ fields }) => fields.prompt)).toEqual(['a', 'b', 'a'])
  })
})
