import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { MadeToken, Role, Token } from '@promptkeep/client/admin'
import type { Token as StoredToken, Tokens } from '@promptkeep/server'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'
import { openAdmin, type RegistryFlags } from './registry-command.ts'

/** Where tokens are reached. */
export interface TokenFlags extends RegistryFlags {
  readonly database?: string
}

/** Tokens by a server, or in a database. */
export interface TokenAccess {
  create(draft: {
    name: string
    roles: readonly Role[]
    expiresInSeconds?: number | undefined
  }): Promise<MadeToken>
  list(): Promise<readonly Token[]>
  revoke(id: string, options: { force?: boolean | undefined }): Promise<unknown>
  /** Whether somebody can make more of them by the API. */
  hasAdmin(): Promise<boolean>
}

/** @param mayMake - Whether a database that is not there is made. */
export async function withTokens<T>(
  io: Io,
  flags: TokenFlags,
  mayMake: boolean,
  use: (tokens: TokenAccess) => Promise<T>,
): Promise<T> {
  const { database, trackingUri } = flags
  if (database === undefined) {
    const admin = openAdmin(io, flags)
    // Once there are tokens only an admin gets as far as to make one.
    return use({ ...admin.tokens, hasAdmin: async () => (await admin.whoami()).tokens })
  }
  if (trackingUri !== undefined) throw new CliError('--database and --tracking-uri: give one of them')
  checkDatabase(io, database, mayMake)
  const { openTokens } = await io.loadServer()
  const tokens = await openTokens(database, { now: io.now }).catch((cause: Error) => {
    throw new CliError(`the database cannot be opened: ${cause.message.split('\n')[0]}`, { cause })
  })
  try {
    return await use(ofDatabase(tokens, io.now))
  } finally {
    await tokens.close()
  }
}

const ofDatabase = (tokens: Tokens, now: () => number): TokenAccess => ({
  async create(draft) {
    const { token, text } = await tokens.create(draft)
    return { ...plain(token), token: text }
  },
  list: async () => (await tokens.list()).map(plain),
  revoke: (id) => tokens.revoke(id),
  hasAdmin: async () =>
    (await tokens.list()).some(
      (one) => one.roles.includes('admin') && stateOf(plain(one), now()) === 'valid',
    ),
})

/** A mistyped file would else be made, empty, and answer that there is nothing. */
function checkDatabase(io: Io, url: string, mayMake: boolean): void {
  const [, file] = /^sqlite:(?:\/\/)?(.+)$/.exec(url) ?? []
  if (file === undefined) return
  if (file === ':memory:')
    throw new CliError('--database sqlite::memory: ends with this command: name a file')
  if (!mayMake && !existsSync(resolve(io.cwd, file)))
    throw new CliError(`--database ${url}: there is no such file`)
}

function plain({ expiresAt, revokedAt, lastUsedAt, ...token }: StoredToken): Token {
  return {
    ...token,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(revokedAt !== undefined && { revokedAt }),
    ...(lastUsedAt !== undefined && { lastUsedAt }),
  }
}

export function stateOf({ revokedAt, expiresAt }: Token, now: number): 'valid' | 'expired' | 'revoked' {
  if (revokedAt !== undefined) return 'revoked'
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : 'valid'
}
