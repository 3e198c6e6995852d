import { randomUUID } from 'node:crypto'
import type { SeedReport } from '@promptkeep/client'
import { createParser } from 'eventsource-parser'
import { readConfig, start } from '../../apps/assistant/src/main.ts'
import {
  type ModelEndpoint,
  type Respond,
  startModelEndpoint,
} from '../../apps/assistant/src/model-endpoint.ts'
import { createTestLog, type LogLine } from '../../apps/assistant/src/testing.ts'

export interface TestAssistant {
  readonly url: string
  readonly seeding: SeedReport
  /** The model's, with every request that it got; absent when the demo model answers. */
  readonly model: ModelEndpoint | undefined
  readonly lines: readonly LogLine[]
  stop(): Promise<void>
}

export interface TestAssistantOptions {
  readonly trackingUri: string
  /** Answers for the model; without it the demo model does. */
  readonly respond?: Respond
  readonly env?: Readonly<Record<string, string>>
}

/** The assistant on a free port, with its data in memory. */
export async function startAssistantWith({
  trackingUri,
  respond,
  env = {},
}: TestAssistantOptions): Promise<TestAssistant> {
  const { lines, log } = createTestLog()
  const model = respond && (await startModelEndpoint({ respond, record: true }))
  const given = {
    ASSISTANT_PORT: '0',
    ASSISTANT_DATABASE: 'sqlite::memory:',
    MLFLOW_TRACKING_URI: trackingUri,
    ...(model ? { OPENAI_API_KEY: 'none', OPENAI_BASE_URL: model.url } : {}),
    ...env,
  }
  const deps = { log, env: given, fetch, now: Date.now, newId: randomUUID }
  const { url, seeding, stop } = await start(readConfig(given), deps)
  return {
    ...{ url, seeding, model, lines },
    async stop() {
      await stop()
      await model?.close()
    },
  }
}

export interface StreamEvent {
  readonly name: string
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads of it is what it checks
  readonly data: any
}

/** `POST /chat`, as a client of the stream sees it. */
export async function postChat(
  url: string,
  body: unknown,
  init: RequestInit = {},
): Promise<{ response: Response; events: StreamEvent[]; text: string }> {
  const response = await fetch(`${url}/chat`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  })
  const text = await response.text()
  const events: StreamEvent[] = []
  const parser = createParser({
    onEvent: ({ event = '', data }) => events.push({ name: event, data: JSON.parse(data) }),
  })
  if (response.ok) parser.feed(text)
  return { response, events, text }
}
