import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRegistryError } from './errors.ts'
import { createMemoryTransport } from './memory.ts'
import type { RegistryOptions } from './options.ts'
import { createRegistry } from './registry.ts'
import type { Registry } from './registry-api.ts'

const open = (options: RegistryOptions = {}) => {
  const transport = createMemoryTransport()
  return { transport, registry: createRegistry({ transport, env: {}, ...options }) }
}

describe('createRegistry refuses', () => {
  it.each([
    [{ trackingUri: 5 }, /^trackingUri must be .*; got 5$/],
    [{ trackingUri: 'sqlite:///x', transport: undefined }, /^trackingUri must be an http or https address/],
    [{ alias: [] }, /^alias must be an alias, or a list of at least one; got an empty list$/],
    [{ alias: 'v1' }, /^alias must be .*version: 1; got "v1"$/],
    [{ alias: ['a', 5] }, /^alias\[1\] must be .*; got 5$/],
    [{ cacheTtlSeconds: -1 }, /^cacheTtlSeconds must be a number of seconds from 0; got -1$/],
    [{ cacheTtlSeconds: '300' }, /^cacheTtlSeconds must be .*; got "300"$/],
    [{ timeoutMs: 0 }, /^timeoutMs must be a number of milliseconds above 0; got 0$/],
    [{ timeoutMs: Number.POSITIVE_INFINITY }, /^timeoutMs/],
    [{ defaults: [] }, /^defaults must be an object/],
    [{ defaults: { memory: '' } }, /^defaults\["memory"\]: template is empty/],
    [{ defaults: { 'a/b': 'x' } }, /^defaults\["a\/b"\]: name must be/],
    [{ defaults: { memory: 5 } }, /^defaults\["memory"\] must be an object; got 5$/],
    [
      { defaults: { memory: {} } },
      /^defaults\["memory"\]: template must be a text, or a list of chat messages/,
    ],
    [{ snapshot: './file' }, /^snapshot must be a store, such as snapshotFile\(path\); got "\.\/file"$/],
    [{ telemetry: {} }, /^telemetry must be a telemetry/],
    [{ strict: 'yes' }, /^strict must be true or false; got "yes"$/],
    [{ logger: {} }, /^logger.debug must be a function/],
    [{ logger: null }, /^logger/],
    [{ now: 5 }, /^now must be a function/],
    [{ maxEntries: 0 }, /^maxEntries must be a whole number from 1; got 0$/],
    [null, /^options must be an object; got null$/],
    ['x', /^options must be an object; got "x"$/],
  ])('%j', (options, says) => {
    const given = (
      options !== null && typeof options === 'object' ? { env: {}, ...options } : options
    ) as RegistryOptions
    expect(() => createRegistry(given)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringMatching(says) }),
    )
  })
})

describe('bad input is refused before the first request', () => {
  type Call = (registry: Registry) => Promise<unknown>
  const load =
    (...args: unknown[]): Call =>
    (registry) =>
      (registry.load as (...a: unknown[]) => Promise<unknown>)(...args)
  const setAlias =
    (...args: unknown[]): Call =>
    (registry) =>
      (registry.setAlias as (...a: unknown[]) => Promise<unknown>)(...args)
  it.each<[string, Call, RegExp]>([
    ['a name of another type', load(5), /^name must be a text/],
    ['an illegal name', load('a b'), /^name must be/],
    ['two aliases', load('memory@a', { alias: 'b' }), /one alias or one version/],
    ['an alias and a version', load('memory', { alias: 'a', version: 1 }), /one alias or one version/],
    ['two versions', load('memory/1', { version: 2 }), /one alias or one version/],
    ['a bad version', load('memory', { version: '1' }), /^version must be a whole number.*; got "1"$/],
    ['a bad alias', load('memory', { alias: 'a b' }), /^alias must be/],
    ['options that are none', load('memory', 5), /^options must be an object; got 5$/],
    ['a bad time limit', load('memory', { timeoutMs: -1 }), /^timeoutMs/],
    ['a bad signal', load('memory', { signal: {} }), /^signal must be an AbortSignal/],
    ['a bad age', load('memory', { maxAgeMs: 'x' }), /^maxAgeMs/],
    ['a bad key', load('memory', { key: 1 }), /^key must be a text/],
    ['an empty key', load('memory', { key: '' }), /^key must be a text of at least one character; got ""$/],
    ['a bad allowMissing', load('memory', { allowMissing: 1 }), /^allowMissing/],
    ['bad log fields', load('memory', { logFields: 'x' }), /^logFields/],
    ['names that are no list', (r) => r.loadSet('memory' as never), /^names must be a list/],
    ['a draft without text', (r) => r.register({ name: 'memory' } as never), /^template must be/],
    [
      'a draft with bad chat',
      (r) => r.register({ name: 'memory', template: [{ content: 'x' }] as never }),
      /^template\[0\].role/,
    ],
    ['no draft', (r) => r.register(undefined as never), /^draft must be/],
    ['a reserved alias', setAlias('memory', 'latest', 1), /^alias must be anything but "latest"/],
    ['version 0', setAlias('memory', 'a', 0), /^version must be/],
    ['a bad expectation', setAlias('memory', 'a', 1, { expected: 'x' }), /^expected must be/],
    ['a bad reason', setAlias('memory', 'a', 1, { reason: 5 }), /^reason must be a text/],
    ['bad defaults', (r) => r.seed({ memory: '' }), /^defaults\["memory"\]/],
    ['a bad page', (r) => r.list({ limit: 0 }), /^limit must be a whole number from 1 to 1000; got 0$/],
    ['a bad token', (r) => r.versions('memory', { pageToken: 5 as never }), /^pageToken/],
    ['a bad name to find', (r) => r.find('a/b'), /^name/],
    ['a bad name of changes', (r) => r.changes(5 as never), /^name/],
  ])('%s', async (_, call, says) => {
    const { registry, transport } = open()
    await expect(call(registry)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(says),
    })
    expect(transport.calls).toEqual([])
  })

  it('whatever is given, every method answers or refuses with one of our errors', async () => {
    const { registry, transport } = open({ timeoutMs: 50 })
    const methods = [
      'load',
      'loadSet',
      'register',
      'setAlias',
      'find',
      'list',
      'versions',
      'changes',
      'seed',
    ] as const
    // An object with a throwing getter is a program's own fault, and stays its own error.
    const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...methods),
        fc.array(anything, { maxLength: 4 }),
        async (method, args) => {
          try {
            await (registry[method] as (...a: unknown[]) => Promise<unknown>)(...args)
          } catch (error) {
            expect(isRegistryError(error), `${method}: ${String(error)}`).toBe(true)
          }
        },
      ),
      { numRuns: 300 },
    )
    for (const { method, args } of transport.calls) {
      if (method === 'register') expect((args[0] as { name: string }).name).toMatch(/^[\w.-]+$/)
    }
  })
})
