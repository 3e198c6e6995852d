import * as api from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { RegistryError } from './errors.ts'
import { createMemoryTransport } from './memory.ts'
import { openTelemetry } from './opentelemetry.ts'
import type { RegistryOptions } from './options.ts'
import { createRegistry } from './registry.ts'

beforeAll(() => {
  const manager = new AsyncLocalStorageContextManager().enable()
  api.context.setGlobalContextManager(manager)
  return () => api.context.disable()
})

/** A registry that tells a real SDK of its loads. */
async function open(options: RegistryOptions = {}) {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const tracer = provider.getTracer('app')
  const transport = createMemoryTransport()
  const registry = createRegistry({ transport, telemetry: openTelemetry({ tracer }), ...options })
  onTestFinished(() => registry.close())
  for (const name of ['memory', 'weather']) {
    await transport.plant({ name, template: `Secret of ${name}` })
    await transport.moveAlias({ name, alias: 'production', to: 1 })
  }
  /** Runs the work in a span, as an app does around a model call. */
  const inSpan = async (name: string, work: () => Promise<unknown>) =>
    tracer.startActiveSpan(name, async (span) => {
      await work()
      span.end()
    })
  const spans = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name)
  return { registry, transport, exporter, inSpan, spans }
}

describe('the current span', () => {
  it('says which prompt was used, by the names of the GenAI conventions, and how it was found', async () => {
    const { registry, inSpan, spans } = await open()
    const { digest } = await registry.load('memory')
    await inSpan('chat', () => registry.load('memory'))
    expect(spans('chat')[0]?.attributes).toEqual({
      'gen_ai.prompt.name': 'memory',
      'gen_ai.prompt.version': '1',
      'promptkeep.alias': 'production',
      'promptkeep.digest': digest,
      'promptkeep.source': 'cache',
    })
  })

  it('of several prompts says the last, and lists them all', async () => {
    const { registry, inSpan, spans } = await open()
    await inSpan('chat', async () => {
      await registry.load('memory')
      await registry.load('weather')
      await registry.load('memory', { version: 1 })
    })
    expect(spans('chat')[0]?.attributes).toMatchObject({
      'gen_ai.prompt.name': 'memory',
      'promptkeep.alias': '', // of the one before: a load by number has none
      'promptkeep.prompts': ['memory/1', 'weather/1'],
    })
  })

  it('and loads are left alone in a trace that is not sampled', async () => {
    const { registry, exporter } = await open()
    await registry.load('memory')
    const recorded = exporter.getFinishedSpans().length
    await registry.load('memory')
    const unsampled = api.trace.wrapSpanContext({
      traceId: '1'.repeat(32),
      spanId: '1'.repeat(16),
      traceFlags: 0,
    })
    await api.context.with(api.trace.setSpan(api.context.active(), unsampled), () => registry.load('weather'))
    expect(exporter.getFinishedSpans().length).toBe(recorded)
  })
})

describe('spans', () => {
  it('one for a load that asks, a child of the current one; none for one that the cache answers', async () => {
    const { registry, inSpan, spans } = await open()
    await inSpan('chat', async () => {
      await registry.load('memory')
      await registry.load('memory')
    })
    const [load, ...more] = spans('promptkeep.load')
    expect(more).toEqual([])
    expect(load?.kind).toBe(api.SpanKind.CLIENT)
    expect(load?.status.code).toBe(api.SpanStatusCode.UNSET)
    expect(load?.parentSpanContext?.spanId).toBe(spans('chat')[0]?.spanContext().spanId)
    expect(load?.attributes).toMatchObject({
      'gen_ai.prompt.name': 'memory',
      'gen_ai.prompt.version': '1',
      'promptkeep.alias': 'production',
      'promptkeep.source': 'registry',
    })
  })

  it('a failed load has the status and the code; one that fell back says so and is no error', async () => {
    const { registry, transport, spans } = await open({ defaults: { memory: 'Bundled' } })
    transport.fault({ kind: 'error', error: new RegistryError('UNAVAILABLE', 'refused') })
    await registry.load('memory')
    await expect(registry.load('weather', { version: 1 })).rejects.toThrow()
    const [fallback, failed] = spans('promptkeep.load')
    expect(fallback?.status.code).toBe(api.SpanStatusCode.UNSET)
    expect(fallback?.attributes).toMatchObject({
      'promptkeep.source': 'default',
      'gen_ai.prompt.version': '0',
    })
    expect(failed?.status).toMatchObject({ code: api.SpanStatusCode.ERROR })
    expect(failed?.attributes).toMatchObject({ 'error.type': 'UNAVAILABLE', 'gen_ai.prompt.version': '1' })
  })

  it('tell nothing of a prompt’s text', async () => {
    const { registry, inSpan, exporter } = await open()
    await inSpan('chat', () => registry.loadSet(['memory', 'weather']))
    const told = exporter
      .getFinishedSpans()
      .map(({ name, attributes, events }) => ({ name, attributes, events }))
    expect(told.length).toBeGreaterThan(1)
    expect(JSON.stringify(told)).not.toContain('Secret')
  })

  it('without a provider nothing is recorded, and loads go on', async () => {
    const { registry } = await open({ telemetry: openTelemetry() })
    expect((await registry.load('memory')).version).toBe(1)
  })
})
