import { expect, it, onTestFinished } from 'vitest'
import { sleep, withDeadline } from './deadline.ts'
import { createMemoryTransport } from './memory.ts'
import { createRegistry } from './registry.ts'

it('work that is given up is told so', async () => {
  const seen: unknown[] = []
  const work = (signal: AbortSignal) => {
    signal.addEventListener('abort', () => seen.push(signal.reason.code))
    return sleep(60_000, signal)
  }
  await expect(withDeadline({ timeoutMs: 5 }, 'it', work)).rejects.toMatchObject({
    code: 'TIMEOUT',
    message: 'it did not answer within 5 ms',
  })
  expect(seen).toEqual(['TIMEOUT'])
})

it('work that throws before it returns a promise is a rejection like any other', async () => {
  const work = () => {
    throw new TypeError('broken')
  }
  await expect(withDeadline({ timeoutMs: 60_000 }, 'it', work)).rejects.toThrow('broken')
})

it("nothing is begun when the caller's signal is aborted already", async () => {
  let begun = false
  const work = async () => {
    begun = true
  }
  await expect(withDeadline({ signal: AbortSignal.abort(new Error('no')) }, 'it', work)).rejects.toThrow('no')
  expect(begun).toBe(false)
})

it('a set of many prompts under one signal makes Node warn of no leak', async () => {
  const warnings: Error[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const defaults = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`p${i}`, 'x']))
  const transport = createMemoryTransport()
  transport.fault({ kind: 'slow', ms: 20 })
  const registry = createRegistry({ transport, env: {}, defaults })
  await registry.loadSet(Object.keys(defaults), { signal: new AbortController().signal })
  await registry.seed()
  await registry.close()
  await new Promise((resolve) => setImmediate(resolve))
  expect(warnings).toEqual([])
})
