/**
 * Prompts in OpenTelemetry traces: which one a span used, and how long a registry took to answer.
 * @module
 */
import * as openTelemetryApi from '@opentelemetry/api'
import { isRegistryError } from './errors.ts'
import type { Prompt } from './prompt.ts'
import type { Telemetry } from './telemetry.ts'

/** The parts of `@opentelemetry/api` that are used. */
export type TraceApi = Pick<typeof openTelemetryApi, 'trace' | 'context'>

export interface OpenTelemetryOptions {
  /** Makes the spans of cold loads. Default: the global provider's tracer `@promptkeep/client`. */
  readonly tracer?: openTelemetryApi.Tracer | undefined
  /** For apps that hold a copy of the API of their own. Default: the one that this package finds. */
  readonly api?: TraceApi | undefined
}

/** The first two are OpenTelemetry's GenAI conventions (both texts), the others are ours. */
export const ATTRIBUTE = {
  name: 'gen_ai.prompt.name',
  version: 'gen_ai.prompt.version',
  alias: 'promptkeep.alias',
  digest: 'promptkeep.digest',
  source: 'promptkeep.source',
  /** Every prompt that a span used, as `name/version`, in order of first use. */
  prompts: 'promptkeep.prompts',
} as const

/**
 * Tells OpenTelemetry of loads: `createRegistry({ telemetry: openTelemetry() })`.
 *
 * A load sets name, version, alias, digest and source of its prompt on the span that is current where `load` is called;
 * of several prompts the last one's, and `promptkeep.prompts` lists all. A load that asks the registry is a span
 * `promptkeep.load` of its own; one that the cache answers makes none. Nothing of a prompt's text or values is told.
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  const { api = openTelemetryApi } = options
  const used = new WeakMap<openTelemetryApi.Span, Used>()
  // Asked for when it is needed: an app may set its provider after it made its registry.
  const tracer = () => options.tracer ?? api.trace.getTracer('@promptkeep/client')

  return {
    used(prompt) {
      const span = api.trace.getActiveSpan()
      if (!span?.isRecording()) return
      const before = used.get(span)
      if (before?.last === prompt) return
      const references = before?.references ?? new Set()
      references.add(`${prompt.name}/${prompt.version}`)
      used.set(span, { last: prompt, references })
      // What is said of a span cannot be unsaid: without this the alias of the prompt before would stay.
      if (before?.last.alias !== undefined && prompt.alias === undefined)
        span.setAttribute(ATTRIBUTE.alias, '')
      span.setAttributes(attributesOf(prompt))
      if (references.size > 1) span.setAttribute(ATTRIBUTE.prompts, [...references])
    },
    cold({ name, alias, version }, work) {
      const attributes = {
        [ATTRIBUTE.name]: name,
        ...(alias !== undefined && { [ATTRIBUTE.alias]: alias }),
        ...(version !== undefined && { [ATTRIBUTE.version]: String(version) }),
      }
      const span = tracer().startSpan('promptkeep.load', {
        kind: openTelemetryApi.SpanKind.CLIENT,
        attributes,
      })
      const inside = api.trace.setSpan(api.context.active(), span)
      return api.context.with(inside, async () => {
        try {
          const prompt = await work()
          if (prompt) span.setAttributes(attributesOf(prompt))
          return prompt
        } catch (error) {
          span.setAttribute('error.type', isRegistryError(error) ? error.code : nameOf(error))
          span.setStatus({
            code: openTelemetryApi.SpanStatusCode.ERROR,
            ...(error instanceof Error && { message: error.message }),
          })
          throw error
        } finally {
          span.end()
        }
      })
    },
  }
}

interface Used {
  readonly last: Prompt
  readonly references: Set<string>
}

const attributesOf = ({ name, version, alias, digest, source }: Prompt) => ({
  [ATTRIBUTE.name]: name,
  [ATTRIBUTE.version]: String(version),
  ...(alias !== undefined && { [ATTRIBUTE.alias]: alias }),
  [ATTRIBUTE.digest]: digest,
  [ATTRIBUTE.source]: source,
})

/** A caller's own abort has a name of its own; `error.type` must never be without bounds. */
const nameOf = (error: unknown) => (error instanceof Error ? error.name : '_OTHER')
