import type { Config } from '../config.ts'
import { isLoopback } from '../loopback.ts'

/** Who may reach the server, from where and how often. */
export interface Access {
  /** Whether other machines may reach it: then every request needs a token. */
  readonly exposed: boolean
  /** Names in lower case that a `Host` header may hold besides this machine's; `*`: any. */
  readonly allowedHosts: readonly string[]
  /** Origins whose pages may write, besides this machine's. */
  readonly allowedOrigins: readonly string[]
  /** How many proxies' `X-Forwarded-For` is believed. */
  readonly trustedProxies: number
  /** Requests in a second, once there are tokens; 0: any number. */
  readonly perToken: number
  readonly perAddress: number
}

/** Of a server for this machine alone. */
export const LOOPBACK_ACCESS: Access = {
  exposed: false,
  allowedHosts: [],
  allowedOrigins: [],
  trustedProxies: 0,
  perToken: 0,
  perAddress: 0,
}

export const accessOf = (config: Config): Access => ({
  exposed: !isLoopback(config.HOST),
  allowedHosts: config.ALLOWED_HOSTS,
  allowedOrigins: config.ALLOWED_ORIGINS,
  trustedProxies: config.TRUST_PROXY,
  perToken: config.RATE_LIMIT_PER_TOKEN,
  perAddress: config.RATE_LIMIT_PER_ADDRESS,
})

/** Whether it may only start once a token was made: other machines can reach it, directly or through a proxy. */
export const needsTokens = ({ exposed, allowedHosts, trustedProxies }: Access): boolean =>
  exposed || allowedHosts.length > 0 || trustedProxies > 0
