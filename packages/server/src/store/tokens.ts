import { RegistryError, type Role } from '@promptkeep/client/protocol'
import type { Selectable } from 'kysely'
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

    async revoke(idOrName) {
      const row = await db
        .selectFrom('tokens')
        .selectAll()
        .where((eb) => eb.or([eb('id', '=', idOrName), eb('name', '=', idOrName)]))
        .executeTakeFirst()
      if (!row) throw noSuchToken(idOrName)
      const revoked = { ...row, revoked_at: row.revoked_at ?? now() }
      await db
        .updateTable('tokens')
        .set({ revoked_at: revoked.revoked_at })
        .where('id', '=', row.id)
        .where('revoked_at', 'is', null)
        .execute()
      return toToken(revoked)
    },

    async used(id, at) {
      await db.updateTable('tokens').set({ last_used_at: at }).where('id', '=', id).execute()
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
