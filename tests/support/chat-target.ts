import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRegistry, type Defaults, type Lineage } from '@promptkeep/client'
import { fingerprintOf } from '@promptkeep/client/protocol'

export interface ChatTarget {
  /** Where a suite's `target` points. */
  readonly url: string
  /** Called before each answer, with the user's message. */
  onMessage: (message: string) => Promise<void> | void
  stop(): Promise<void>
}

/**
 * A chat endpoint in small, over a real registry: every message uses the prompt `base`, one with "remember" `memory`
 * as well. It answers with the texts of the prompts it used, so that a test sees which ones they were.
 */
export async function startChatTarget(trackingUri: string, defaults: Defaults = {}): Promise<ChatTarget> {
  const registry = createRegistry({ trackingUri, defaults, env: {}, timeoutMs: 10_000 })
  const control: Pick<ChatTarget, 'onMessage'> = { onMessage: () => undefined }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { message } = JSON.parse(Buffer.concat(chunks).toString()) as { message: string }
    const alias = String(request.headers['x-promptkeep-alias']).split(',')
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const say = (event: string, data: object) =>
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    try {
      await control.onMessage(message)
      const names = ['base', ...(message.includes('remember') ? ['memory'] : [])]
      const set = await registry.loadSet(names, { alias, maxAgeMs: 0 })
      const prompts: Record<string, Lineage> = set.versions
      for (const name of names) say('delta', { content: `${set.get(name).format()} ` })
      say('done', {
        prompts,
        toolCalls: names
          .slice(1)
          .map((name) => ({ agent: 'Chat', name: `ask_${name}_agent`, arguments: {}, result: '' })),
        fingerprint: await fingerprintOf(
          Object.entries(prompts).map(([name, { version, digest }]) => ({ name, version, digest })),
        ),
        usage: { inputTokens: 1, outputTokens: 1, requests: names.length },
      })
    } catch (error) {
      say('error', { error: error instanceof Error ? error.message : String(error) })
    }
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(control, {
    url: `http://127.0.0.1:${port}/chat`,
    async stop() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await registry.close()
    },
  })
}
