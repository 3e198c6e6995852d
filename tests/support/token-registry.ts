import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Logger, ROLES, type Role, silent } from '@promptkeep/client/protocol'
import { openTokens } from '@promptkeep/server'
import { startRegistry } from './registry.ts'

export interface TokenRegistry {
  readonly url: string
  readonly databaseUrl: string
  /** A valid token of each role, named after it. */
  readonly tokens: Readonly<Record<Role, string>>
  /** Tokens of admins that are none any longer. */
  readonly revoked: string
  readonly expired: string
  stop(): Promise<void>
}

/** Our server on a free port, as {@link startRegistry}, whose database (a SQLite file, unless `env` names another) held a token of each role before it started. */
export async function startTokenRegistry(
  env: Readonly<Record<string, string>> = {},
  log: Logger = silent,
): Promise<TokenRegistry> {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-tokens-'))
  const databaseUrl = env.DATABASE_URL ?? `sqlite:${join(dir, 'registry.db')}`
  const tokens = await makeTokens(databaseUrl)
  const registry = await startRegistry({ DATABASE_URL: databaseUrl, ...env }, log)
  return {
    ...tokens,
    url: registry.url,
    databaseUrl,
    async stop() {
      await registry.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** In this database: one of each role, one that was revoked, one that expired. */
export async function makeTokens(
  databaseUrl: string,
): Promise<Pick<TokenRegistry, 'tokens' | 'revoked' | 'expired'>> {
  const anHourAgo = () => Date.now() - 3_600_000
  const past = await openTokens(databaseUrl, { now: anHourAgo })
  const { text: expired } = await past.create({ name: 'expired', roles: ['admin'], expiresInSeconds: 60 })
  await past.close()

  const now = await openTokens(databaseUrl)
  const { text: revoked } = await now.create({ name: 'revoked', roles: ['admin'] })
  await now.revoke('revoked')
  const made: [Role, string][] = []
  for (const role of ROLES) made.push([role, (await now.create({ name: role, roles: [role] })).text])
  await now.close()
  return { tokens: Object.fromEntries(made) as Record<Role, string>, revoked, expired }
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
export const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})
