import { createRegistry, type RegistryOptions } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'

/** One server, and a prompt's name that nobody else uses. */
export interface Place {
  readonly url: string
  readonly name: string
  open(options?: RegistryOptions): ReturnType<typeof createRegistry>
  admin(): ReturnType<typeof createAdmin>
  /** A call of MLflow's REST as any other client makes it. @returns its HTTP status */
  raw(method: string, path: string, body: Readonly<Record<string, unknown>>): Promise<number>
  close(): Promise<void>
}

export function placeAt(url: string): Place {
  const env = {}
  const opened: ReturnType<typeof createRegistry>[] = []
  return {
    url,
    name: `p-${crypto.randomUUID()}`,
    open(options = {}) {
      const registry = createRegistry({ trackingUri: url, env, ...options })
      opened.push(registry)
      return registry
    },
    admin: () => createAdmin({ trackingUri: url, env }),
    async raw(method, path, body) {
      const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      await answer.arrayBuffer()
      return answer.status
    },
    async close() {
      for (const registry of opened) await registry.close()
    },
  }
}
