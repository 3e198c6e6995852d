// Which prompt answered, in OpenTelemetry: on the span around the model call, and a span for each load that had to ask.
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { createRegistry } from '@promptkeep/client'
import { openTelemetry } from '@promptkeep/client/opentelemetry'

// An app has this from its own set-up, with an exporter that sends.
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const tracer = provider.getTracer('app')

const registry = createRegistry({ telemetry: openTelemetry({ tracer }) })
await registry.seed({ greeter: 'Greet {{ who }} in one sentence.' })

await tracer.startActiveSpan('chat gpt-5-mini', async (span) => {
  await registry.load('greeter') // and the model call
  span.end()
})
const [load, chat] = exporter.getFinishedSpans()
console.log(load?.name, load?.attributes['promptkeep.source']) // promptkeep.load registry
console.log(chat?.attributes['gen_ai.prompt.name'], chat?.attributes['gen_ai.prompt.version']) // greeter 1

await registry.close()
