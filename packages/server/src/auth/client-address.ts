import { isIP } from 'node:net'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'

/** Where a request came from, as limits are counted. */
export const addressOf = (c: Context, trustedProxies: number): string =>
  clientAddress(
    (c.env as Partial<HttpBindings> | undefined)?.incoming?.socket.remoteAddress,
    c.req.header('x-forwarded-for'),
    trustedProxies,
  )

/**
 * The address from which a request came, which the caller cannot choose: that of the connection, or with trusted
 * proxies the one that the outermost of them saw. An IPv6 caller owns the rest of a /64 network, so that is one address.
 */
export function clientAddress(
  remote: string | undefined,
  forwardedFor: string | undefined,
  trustedProxies: number,
): string {
  const connection = remote ?? 'unknown'
  if (trustedProxies === 0 || forwardedFor === undefined) return networkOf(connection)
  // Each proxy appends whom it saw: what stands before the trusted ones' entries is the caller's own invention.
  const hops = [...forwardedFor.split(',').map(withoutPort), connection]
  const seen = hops[Math.max(0, hops.length - 1 - trustedProxies)] ?? connection
  return networkOf(isIP(seen) === 0 ? connection : seen)
}

function withoutPort(hop: string): string {
  const text = hop.trim()
  return /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
}

function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const bare = address.replace(/%.*/, '')
  if (isIP(bare) !== 6) return address
  const [head = '', tail] = bare.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? 0 : 8 - before.length - after.length
  const groups = [...before, ...Array<string>(Math.max(0, gap)).fill('0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
