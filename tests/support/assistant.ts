import { demoReply } from '../../apps/assistant/src/demo-model.ts'
import type { RecordedRequest } from '../../apps/assistant/src/model-endpoint.ts'
import { postChat, startAssistantWith, type TestAssistant } from './chat-http.ts'

export interface DemoAssistant extends TestAssistant, AsyncDisposable {
  /** What the model was asked, in order. */
  readonly requests: readonly RecordedRequest[]
}

/** The assistant with a recording model that answers by the demo's rules. */
export async function startAssistant(
  trackingUri: string,
  env: Readonly<Record<string, string>> = {},
): Promise<DemoAssistant> {
  const assistant = await startAssistantWith({ trackingUri, env, respond: demoReply })
  return {
    ...assistant,
    requests: assistant.model?.requests ?? [],
    [Symbol.asyncDispose]: assistant.stop,
  }
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
