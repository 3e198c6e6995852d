import { randomUUID } from 'node:crypto'
import type { SeedReport } from '@promptkeep/client'
import { demoReply } from '../../apps/assistant/src/demo-model.ts'
import { readConfig, start } from '../../apps/assistant/src/main.ts'
import { type RecordedRequest, startModelEndpoint } from '../../apps/assistant/src/model-endpoint.ts'
import { createTestLog, type LogLine } from '../../apps/assistant/src/testing.ts'
import { postChat } from './chat-http.ts'

export interface RunningTestAssistant extends AsyncDisposable {
  readonly url: string
  readonly seeding: SeedReport
  readonly lines: readonly LogLine[]
  /** What the model was asked, in order. */
  readonly requests: readonly RecordedRequest[]
  stop(): Promise<void>
}

/** The assistant on a free port, data in memory, with a recording model that answers by the demo's rules. */
export async function startAssistant(
  trackingUri: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningTestAssistant> {
  const { lines, log } = createTestLog()
  const model = await startModelEndpoint({ respond: demoReply, record: true })
  const given = {
    ASSISTANT_PORT: '0',
    ASSISTANT_DATABASE: 'sqlite::memory:',
    MLFLOW_TRACKING_URI: trackingUri,
    OPENAI_API_KEY: 'none',
    OPENAI_BASE_URL: model.url,
    ...env,
  }
  const deps = { log, env: given, fetch, now: Date.now, newId: randomUUID }
  const assistant = await start(readConfig(given), deps)
  const stop = async () => {
    await assistant.stop()
    await model.close()
  }
  const { url, seeding } = assistant
  return { url, seeding, lines, requests: model.requests, stop, [Symbol.asyncDispose]: stop }
}

/** One message, in a conversation of its own. */
export async function say({ url }: { readonly url: string }, message: string) {
  const { events } = await postChat(url, { message })
  const last = events.at(-1)
  return {
    /** The name of the last event. */
    last: last?.name,
    /** The last event's data. */
    final: last?.data,
    text: events.flatMap(({ name, data }) => (name === 'delta' ? [data.content] : [])).join(''),
  }
}
