import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startRegistry } from './registry.ts'

export interface GoingRegistry {
  readonly trackingUri: string
  /** A request to it stops the registry, and is answered when that is gone. */
  readonly end: string
  stop(): Promise<void>
}

/** A registry that the process under test can end, to see what it does then. */
export async function startGoingRegistry(): Promise<GoingRegistry> {
  const registry = await startRegistry()
  let gone: Promise<void> | undefined
  const goAway = () => {
    gone ??= registry.stop()
    return gone
  }
  const server = createServer((_, response) => {
    void goAway().then(() => response.end('gone'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    trackingUri: registry.url,
    end: `http://127.0.0.1:${port}/`,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await goAway()
    },
  }
}
