import { LangfuseClient, TextPromptClient } from '@langfuse/client'
import { charactersOf, nanoseconds, TEMPLATE, VALUES } from './protocol.ts'
import { countFetch, readJob, serve } from './serve.ts'

const { url } = readJob()
const requests = countFetch()
const langfuse = new LangfuseClient({ publicKey: 'pk-bench', secretKey: 'sk-bench', baseUrl: url })
/** As an app writes it: the options are an object for each call. */
const load = (name: string) =>
  langfuse.prompt.get(name, { type: 'text', label: 'production', cacheTtlSeconds: 3_600 })
await load('bench-0')
const rendered = new TextPromptClient({
  ...{ type: 'text', name: 'rendered', version: 1, prompt: TEMPLATE },
  ...{ config: {}, labels: [], tags: [] },
} as ConstructorParameters<typeof TextPromptClient>[0])

await serve(
  {
    load,
    rounds: {
      async cachedLoad(calls) {
        const start = process.hrtime.bigint()
        for (let i = 0; i < calls; i += 1) await load('bench-0')
        return nanoseconds(start, calls)
      },
      callAlone(calls) {
        let last: unknown
        const start = process.hrtime.bigint()
        for (let i = 0; i < calls; i += 1) last = load('bench-0')
        return last === undefined ? Number.NaN : nanoseconds(start, calls)
      },
      render(calls) {
        let sum = 0
        const start = process.hrtime.bigint()
        for (let i = 0; i < calls; i += 1) sum += charactersOf(rendered.compile(VALUES[i % 16]))
        return sum === 0 ? Number.NaN : nanoseconds(start, calls)
      },
    },
  },
  requests,
)
