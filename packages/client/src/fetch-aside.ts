import { builtinModule } from './platform.ts'

/** What Node's `fetch` says of a request when it is sent. */
interface Sent {
  readonly request?: { readonly origin?: unknown; readonly path?: unknown }
  readonly socket?: { readonly unref?: () => void }
}

type Listener = (said: unknown) => void

interface Channels {
  subscribe?(name: string, listener: Listener): void
  unsubscribe?(name: string, listener: Listener): void
}

const SENT = 'undici:client:sendHeaders'

/**
 * A `fetch` whose answer may take for ever without keeping the process alive: `fetch` gives nobody its socket, but Node
 * tells of it on a channel of its diagnostics. Where there is none, it is `fetch` as it was.
 */
export function fetchAside(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  const channels = builtinModule('node:diagnostics_channel') as Channels | undefined
  if (!channels?.subscribe || !channels.unsubscribe) return fetch
  return async (input, init) => {
    const { origin, pathname, search } = new URL(input instanceof Request ? input.url : input)
    const listener: Listener = (said) => {
      const { request, socket } = said as Sent
      if (request?.origin === origin && request.path === pathname + search) socket?.unref?.()
    }
    channels.subscribe?.(SENT, listener)
    try {
      return await fetch(input, init)
    } finally {
      channels.unsubscribe?.(SENT, listener)
    }
  }
}
