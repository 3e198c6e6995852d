import { describe, expect, it, onTestFinished } from 'vitest'
import { createLogRecorder } from './log-recorder.ts'
import { createMemoryTransport } from './memory.ts'
import type { RegistryOptions } from './options.ts'
import { createRegistry } from './registry.ts'
import type { Run } from './run-api.ts'
import type { Telemetry } from './telemetry.ts'

async function open(options: RegistryOptions = {}) {
  const transport = createMemoryTransport()
  const registry = createRegistry({ transport, env: {}, cacheTtlSeconds: 0, ...options })
  onTestFinished(() => registry.close())
  for (const name of ['memory', 'tone']) {
    for (const text of ['one', 'two']) await registry.register({ name, template: `${name} ${text}` })
    await registry.setAlias(name, 'production', 1)
  }
  const move = (version: number) => registry.setAlias('memory', 'production', version)
  return { registry, move }
}

describe('run', () => {
  it('pins what it loads: a move is seen after it, not in it', async () => {
    const { registry, move } = await open()
    const texts = await registry.run(async () => {
      const before = await registry.load('memory')
      await move(2)
      return [before.template, (await registry.load('memory')).template]
    })
    expect(texts).toEqual(['memory one', 'memory one'])
    expect((await registry.load('memory')).template).toBe('memory two')
  })

  it('says what was used, also by what runs inside of it, and in sets', async () => {
    const { registry } = await open()
    const inner = async () => registry.load('tone')
    const { lineage, fingerprint } = await registry.run(async (run) => {
      expect(registry.lineage()).toEqual({})
      const set = await registry.loadSet(['memory'])
      await Promise.all([inner(), registry.run(inner)])
      expect((await run.set()).get('memory')).toBe(set.get('memory'))
      return { lineage: registry.lineage(), fingerprint: (await run.set()).fingerprint }
    })
    expect(lineage).toMatchObject({
      memory: { version: 1, alias: 'production', source: 'registry' },
      tone: { version: 1, alias: 'production' },
    })
    expect(fingerprint).toBe((await registry.loadSet(['memory', 'tone'])).fingerprint)
    expect(registry.lineage()).toBeUndefined()
  })

  it('names a second version of a prompt by what it was asked for with', async () => {
    const { registry } = await open()
    await registry.setAlias('memory', 'experiment', 2)
    const lineage = await registry.run(async () => {
      await registry.load('memory')
      await registry.load('memory@experiment')
      await registry.load('memory/2')
      await registry.load('memory/1')
      return registry.lineage()
    })
    const versions = Object.entries(lineage ?? {}).map(([name, { version }]) => [name, version])
    expect(versions).toEqual([
      ['memory', 1],
      ['memory@experiment', 2],
      ['memory/2', 2],
    ])
  })

  it('leaves no version out that keys of a rollout got, and gives no key the answer of another question', async () => {
    const { registry } = await open({ cacheTtlSeconds: 60 })
    const tags = { 'promptkeep.rollout.production': '{"2":33,"3":33}' }
    for (const template of ['a', 'b', 'c']) await registry.register({ name: 'split', template, tags })
    await registry.setAlias('split', 'production', 1)
    const seen = new Set<number>()
    const lineage = await registry.run(async () => {
      for (let i = 0; i < 40; i++) seen.add((await registry.load('split', { key: `user ${i}` })).version)
      return registry.lineage() ?? {}
    })
    expect([...seen].sort()).toEqual([1, 2, 3])
    expect(
      Object.values(lineage)
        .map(({ version }) => version)
        .sort(),
    ).toEqual([1, 2, 3])
    await registry.setAlias('split', 'candidate', 3)
    const aliases = await registry.run(async (run) => {
      const first = await run.load('split', { key: 'u', alias: ['candidate', 'production'] })
      const keys = `u\nmemory split @candidate`
      const second = await run.load('split', { key: keys, alias: 'production' })
      return [first.alias, second.alias]
    })
    expect(aliases).toEqual(['candidate', 'production'])
  })

  it('resolves prompts before it begins, with the alias and the key of the run', async () => {
    const { registry } = await open()
    await registry.setAlias('memory', 'experiment', 2)
    const alias = ['experiment', 'production']
    const lineage = await registry.run((run) => run.lineage(), { prompts: ['memory', 'tone'], alias })
    expect(lineage).toMatchObject({ memory: { alias: 'experiment' }, tone: { alias: 'production' } })
    const said = await registry.run(() => registry.load('memory@production'), { alias })
    expect(said.alias).toBe('production')
  })

  it('runs beside each other do not see each other', async () => {
    const { registry, move } = await open()
    const gate = withResolvers()
    const first = registry.run(async () => {
      const { version } = await registry.load('memory')
      await gate.promise
      return [version, (await registry.load('memory')).version]
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    await move(2)
    const second = await registry.run(async () => (await registry.load('memory')).version)
    gate.resolve()
    expect([await first, second]).toEqual([[1, 1], 2])
  })

  it('a failure is not kept: the next load of the run tries again', async () => {
    const { registry } = await open()
    await expect(registry.run(async () => registry.load('nobody'))).rejects.toMatchObject({
      code: 'PROMPT_NOT_FOUND',
    })
    await registry.run(async () => {
      await expect(registry.load('later')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
      await registry.register({ name: 'later', template: 'there' })
      await registry.setAlias('later', 'production', 1)
      expect((await registry.load('later')).template).toBe('there')
    })
  })

  it('works by its own argument where asynchronous calls cannot be followed', async () => {
    const { getBuiltinModule } = process
    onTestFinished(() => {
      process.getBuiltinModule = getBuiltinModule
    })
    Object.assign(process, { getBuiltinModule: undefined })
    const { registry } = await open()
    expect((await registry.capabilities()).scope).toBe(false)
    const lineage = await registry.run(async (run) => {
      await run.load('memory')
      expect(registry.lineage()).toBeUndefined()
      return run.lineage()
    })
    expect(lineage).toMatchObject({ memory: { version: 1 } })
    process.getBuiltinModule = getBuiltinModule
    expect((await registry.capabilities()).scope).toBe(true)
  })

  it.each([
    [['x'], /^work must be a function/],
    [[() => 1, 5], /^options must be an object; got 5$/],
    [[(run: Run) => run.load('memory', null as never)], /^options must be an object; got null$/],
    [[() => 1, { prompts: 'memory' }], /^prompts must be a list of prompt names; got "memory"$/],
    [[() => 1, { prompts: ['a b'] }], /^name must be/],
  ])('refuses %j', async (given, says) => {
    const { registry } = await open()
    await expect(registry.run(...(given as unknown as [() => number]))).rejects.toThrow(says)
  })
})

describe('telemetry', () => {
  it('hears of each load where it was asked for, and wraps those that ask the registry', async () => {
    const used: string[] = []
    const cold: object[] = []
    const telemetry: Telemetry = {
      used: ({ name, version }) => used.push(`${name} ${version}`),
      cold: (about, work) => {
        cold.push(about)
        return work()
      },
    }
    const log = createLogRecorder()
    const { registry } = await open({ telemetry, cacheTtlSeconds: 60, logger: log.logger })
    await registry.load('memory')
    await registry.load('memory')
    await registry.load('memory')
    await registry.load('memory/2')
    expect(used).toEqual(['memory 1', 'memory 1', 'memory 1', 'memory 2'])
    expect(cold).toEqual([
      { name: 'memory', alias: 'production' },
      { name: 'memory', version: 2 },
    ])
    expect(log.lines.filter(({ event }) => event === 'prompt.loaded')).toHaveLength(4)
    await registry.run(async () => {
      await registry.load('memory')
      await registry.load('memory')
    })
    expect(used).toHaveLength(6)
  })
})

describe('a key', () => {
  it('gets its share of an alias that is split, and keeps it; lineage has the version that was chosen', async () => {
    const { registry } = await open({ cacheTtlSeconds: 60 })
    await registry.register({
      name: 'split',
      template: 'a',
      tags: { 'promptkeep.rollout.production': '{"2":40}' },
    })
    await registry.register({ name: 'split', template: 'b' })
    await registry.setAlias('split', 'production', 1)
    const versions = new Map<string, number>()
    for (let i = 0; i < 200; i++) {
      const { version, alias } = await registry.load('split', { key: `user ${i}` })
      expect(alias).toBe('production')
      versions.set(`user ${i}`, version)
    }
    const second = [...versions.values()].filter((version) => version === 2).length
    expect(second).toBeGreaterThan(50)
    expect(second).toBeLessThan(110)
    for (const [key, version] of versions)
      expect((await registry.load('split', { key })).version).toBe(version)
    expect((await registry.load('split')).version).toBe(1)
    const key = [...versions].find(([, version]) => version === 2)?.[0] ?? ''
    const lineage = await registry.run(
      async () => {
        await registry.load('split')
        return registry.lineage()
      },
      { key },
    )
    expect(lineage).toMatchObject({ split: { version: 2, alias: 'production' } })
  })

  it('whose version is gone gets the one that the alias points at, with a WARN', async () => {
    const log = createLogRecorder()
    const { registry } = await open({ logger: log.logger })
    const tags = { 'promptkeep.rollout.production': '{"7":100}' }
    await registry.register({ name: 'split', template: 'a', tags })
    await registry.setAlias('split', 'production', 1)
    expect((await registry.load('split', { key: 'me' })).version).toBe(1)
    expect(log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { event: 'prompt.fell_back', fields: { prompt: 'split', code: 'VERSION_NOT_FOUND' } },
    ])
  })
})

function withResolvers() {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
