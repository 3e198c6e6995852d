import { InvalidInput, RegistryError, type Role } from '@promptkeep/client/protocol'
import { type Selectable, sql } from 'kysely'
import type { StoreContext } from './context.ts'
import type { TokenTable } from './schema.ts'
import type { Token, TokenStore } from './store.ts'

/** Who may speak to the server. Secrets are not here: only their hashes. */
export function createTokenStore({ db, dialect, now }: StoreContext): TokenStore {
  const byId = (id: string) => db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst()

  return {
    async create({ id, name, roles, hash, expiresAt, createdBy }) {
      const row: TokenTable = {
        id,
        name,
        roles: roles.join(','),
        hash,
        created_at: now(),
        created_by: createdBy,
        expires_at: expiresAt ?? null,
        revoked_at: null,
        last_used_at: null,
      }
      try {
        await db.insertInto('tokens').values(row).execute()
      } catch (error) {
        throw dialect.isUniqueViolation(error) ? nameUsed(name) : error
      }
      return toToken(row)
    },

    async find(id) {
      const row = await byId(id)
      return row && { ...toToken(row), hash: row.hash }
    },

    async list() {
      return (await db.selectFrom('tokens').selectAll().orderBy('created_at').orderBy('id').execute()).map(
        toToken,
      )
    },

    revoke: (idOrName, { evenLastAdmin = false } = {}) =>
      db.transaction().execute(async (tx) => {
        // All of them, in one order: of two admins who revoke each other, the second sees that it is the last.
        const rows = await sql<Selectable<TokenTable>>`
          select * from tokens order by id ${dialect.forUpdate}`.execute(tx)
        const row =
          rows.rows.find(({ id }) => id === idOrName) ?? rows.rows.find(({ name }) => name === idOrName)
        if (!row) throw noSuchToken(idOrName)
        if (row.revoked_at !== null) return toToken(row)
        const at = now()
        const isValidAdmin = ({ roles, revoked_at, expires_at }: Selectable<TokenTable>) =>
          roles.split(',').includes('admin') &&
          revoked_at === null &&
          (expires_at === null || expires_at > at)
        const isOnlyAdmin = isValidAdmin(row) && rows.rows.filter(isValidAdmin).length === 1
        if (isOnlyAdmin && !evenLastAdmin) throw lastAdmin(row.name)
        await tx.updateTable('tokens').set({ revoked_at: at }).where('id', '=', row.id).execute()
        return toToken({ ...row, revoked_at: at })
      }),

    async used(id, at) {
      await db
        .updateTable('tokens')
        .set({ last_used_at: at })
        .where('id', '=', id)
        .where((eb) => eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<', at)]))
        .execute()
    },

    async any() {
      return (await db.selectFrom('tokens').select('id').limit(1).executeTakeFirst()) !== undefined
    },
  }
}

const toToken = (row: Selectable<TokenTable>): Token => ({
  id: row.id,
  name: row.name,
  roles: row.roles.split(',') as Role[],
  createdAt: row.created_at,
  createdBy: row.created_by,
  expiresAt: row.expires_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined,
  lastUsedAt: row.last_used_at ?? undefined,
})

const nameUsed = (name: string) =>
  new RegistryError(
    'CONFLICT',
    `A token named ${name} was made before, and the log names it: choose another name, such as ${name}-2.`,
    { status: 400, mlflowCode: 'RESOURCE_ALREADY_EXISTS' },
  )

const noSuchToken = (idOrName: string) =>
  new RegistryError('INVALID_INPUT', `There is no token ${JSON.stringify(idOrName)}, by id or by name.`, {
    status: 404,
    mlflowCode: 'RESOURCE_DOES_NOT_EXIST',
  })

const lastAdmin = (name: string) =>
  new InvalidInput(
    `${name} is the last valid token of an admin: without it nobody could make tokens by this server. ` +
      'Make another admin token first, or revoke it with force.',
  )
