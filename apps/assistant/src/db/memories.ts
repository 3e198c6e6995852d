import { type Kysely, type SelectQueryBuilder, sql } from 'kysely'
import { relevanceOf } from './relevance.ts'
import type { Tables } from './schema.ts'
import { type QueryTerms, queryTermsOf, sameTextKey, termsOf } from './terms.ts'

export const MEMORY_TYPES = ['fact', 'preference', 'decision', 'note'] as const
export type MemoryType = (typeof MEMORY_TYPES)[number]

export interface MemoryDraft {
  readonly userId: string
  readonly conversationId: string | null
  readonly correlationId: string
  readonly content: string
  readonly type: MemoryType
  /** 0…1 */
  readonly confidence: number
  /** 0…1 */
  readonly importance: number
  /** An active memory that this one corrects: superseded in the same transaction. It must have been shown. */
  readonly replacesId?: string | undefined
}

export interface MemoryLimits {
  readonly perConversation: number
  readonly perHour: number
}

export type AddOutcome =
  | { readonly outcome: 'stored'; readonly id: string }
  | { readonly outcome: 'duplicate'; readonly id: string }
  | { readonly outcome: 'limited'; readonly by: keyof MemoryLimits }
  | { readonly outcome: 'not_shown' | 'gone' }

export interface Memory {
  readonly id: string
  readonly content: string
  readonly type: string
  readonly importance: number
  readonly createdAt: number
}

export interface MemoryHit extends Memory {
  /** Share of the query that the memory covers, 0…1; 1 for an overview. */
  readonly relevance: number
}

export interface MemorySearch {
  readonly types?: readonly string[] | undefined
  readonly limit: number
}

/** What the assistant remembers of its users. No method reaches another user's rows. */
export interface MemoryStore {
  /** Duplicates are told from active memories only: what was deleted may be saved again. */
  add(draft: MemoryDraft, limits: MemoryLimits): Promise<AddOutcome>
  /**
   * Best first by BM25, and only what covers enough of the query; nothing for an unrelated one. A query for whatever
   * there is ("what do you know about me", or an empty one) answers the newest.
   * With `types`, both are of these types only: a query that just names the type ("decisions") lists it.
   * @returns The first `limit`, how many there are, and when that was, in milliseconds since the epoch.
   */
  search(
    userId: string,
    query: string,
    search: MemorySearch,
  ): Promise<{ hits: MemoryHit[]; total: number; searchedAt: number }>
  /** Marks memories as shown in this conversation, so that {@link remove} takes their ids. */
  noteShown(userId: string, conversationId: string | null, ids: readonly string[]): Promise<void>
  /** `not_shown` for an id that was not a candidate in this conversation, or is none of this user's. */
  remove(userId: string, conversationId: string | null, id: string): Promise<'deleted' | 'gone' | 'not_shown'>
}

/** Candidates read from the index before the floor; more of one user's memories than this share no rare word. */
const READ_AT_MOST = 200

export interface MemoryStoreOptions {
  readonly db: Kysely<Tables>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly newId: () => string
}

export function createMemoryStore({ db, now, newId }: MemoryStoreOptions): MemoryStore {
  return {
    add(draft, limits) {
      const at = now()
      const id = newId()
      const { userId, content, type, confidence, importance, correlationId } = draft
      const contentKey = sameTextKey(content)
      return db.transaction().execute(async (tx): Promise<AddOutcome> => {
        const same = await activeOf(tx, userId)
          .where('content_key', '=', contentKey)
          .select('id')
          .executeTakeFirst()
        if (same) return { outcome: 'duplicate', id: same.id }
        const by = await limitHit(tx, draft, limits, at)
        if (by) return { outcome: 'limited', by }
        if (draft.replacesId !== undefined) {
          const ended = await end(tx, draft, draft.replacesId, { status: 'superseded', superseded_by: id })
          if (ended !== 'ended') return { outcome: ended }
        }
        const { row } = await tx
          .insertInto('memories')
          .values({
            ...{ user_id: userId, id, content, content_key: contentKey, type, confidence, importance },
            ...{ status: 'active', superseded_by: null, conversation_id: draft.conversationId ?? '' },
            ...{ correlation_id: correlationId, created_at: at, ended_at: null },
          })
          .returning('row')
          .executeTakeFirstOrThrow()
        await tx
          .insertInto('memories_fts')
          .values({ rowid: row, owner: ownerOf(userId), terms: termsOf(content).join(' ') })
          .execute()
        return { outcome: 'stored', id }
      })
    },

    async search(userId, query, { types, limit }) {
      const terms = queryTermsOf(query)
      const hits = terms.isOverview ? await newest(userId, types) : await ranked(userId, terms, types)
      return { hits: hits.slice(0, limit), total: hits.length, searchedAt: now() }
    },

    async noteShown(userId, conversationId, ids) {
      if (ids.length === 0) return
      const shown = ids.map((memory_id) => ({
        ...{ user_id: userId, conversation_id: conversationId ?? '', memory_id, shown_at: now() },
      }))
      await db
        .insertInto('memory_candidates')
        .values(shown)
        .onConflict((oc) => oc.columns(['user_id', 'conversation_id', 'memory_id']).doNothing())
        .execute()
    },

    remove: (userId, conversationId, id) =>
      db.transaction().execute(async (tx) => {
        const ended = await end(tx, { userId, conversationId }, id, {
          status: 'deleted',
          superseded_by: null,
        })
        return ended === 'ended' ? 'deleted' : ended
      }),
  }

  /** Takes an active memory out of use and out of the index; only one that this conversation was shown. */
  async function end(
    tx: Kysely<Tables>,
    { userId, conversationId }: Pick<MemoryDraft, 'userId' | 'conversationId'>,
    id: string,
    how: { readonly status: 'superseded' | 'deleted'; readonly superseded_by: string | null },
  ): Promise<'ended' | 'gone' | 'not_shown'> {
    const shown = await tx
      .selectFrom('memory_candidates')
      .where('user_id', '=', userId)
      .where('conversation_id', '=', conversationId ?? '')
      .where('memory_id', '=', id)
      .select('memory_id')
      .executeTakeFirst()
    if (!shown) return 'not_shown'
    const ended = await tx
      .updateTable('memories')
      .set({ ...how, ended_at: now() })
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .where('status', '=', 'active')
      .returning('row')
      .executeTakeFirst()
    if (!ended) return 'gone'
    await tx.deleteFrom('memories_fts').where('rowid', '=', ended.row).execute()
    return 'ended'
  }

  async function newest(userId: string, types: readonly string[] | undefined): Promise<MemoryHit[]> {
    const rows = await ofTypes(activeOf(db, userId), types)
      .select(['id', 'content', 'type', 'importance', 'created_at'])
      .orderBy('created_at', 'desc')
      .orderBy('row', 'desc')
      .limit(READ_AT_MOST)
      .execute()
    return rows.map(({ created_at: createdAt, ...rest }) => ({ ...rest, createdAt, relevance: 1 }))
  }

  async function ranked(
    userId: string,
    { strong, weak }: QueryTerms,
    types: readonly string[] | undefined,
  ): Promise<MemoryHit[]> {
    const asked = [...strong, ...weak]
    if (asked.length === 0) return []
    const anyTerm = asked.map(quoted).join(' OR ')
    const rows = await ofTypes(activeOf(db, userId), types)
      .innerJoin('memories_fts', 'memories_fts.rowid', 'memories.row')
      .where(
        sql<boolean>`memories_fts match ${`owner : ${quoted(ownerOf(userId))} AND terms : (${anyTerm})`}`,
      )
      .select(['id', 'content', 'type', 'importance', 'created_at'])
      // the owner column takes no part in the rank
      .orderBy(sql`bm25(memories_fts, 0.0, 1.0)`)
      .orderBy('created_at', 'desc')
      .limit(READ_AT_MOST)
      .execute()
    return rows.flatMap(({ created_at: createdAt, ...rest }) => {
      const relevance = relevanceOf(rest.content, { strong, weak })
      return relevance === undefined ? [] : [{ ...rest, createdAt, relevance }]
    })
  }
}

const activeOf = (db: Kysely<Tables>, userId: string) =>
  db.selectFrom('memories').where('memories.user_id', '=', userId).where('status', '=', 'active')

function ofTypes<O>(
  query: SelectQueryBuilder<Tables, 'memories', O>,
  types: readonly string[] | undefined,
): SelectQueryBuilder<Tables, 'memories', O> {
  return types && types.length > 0 ? query.where('type', 'in', types) : query
}

/** Every memory ever saved counts, deleted ones too: a limit on writes, not on what there is. */
async function limitHit(
  tx: Kysely<Tables>,
  { userId, conversationId }: MemoryDraft,
  limits: MemoryLimits,
  at: number,
): Promise<keyof MemoryLimits | undefined> {
  const saved = tx.selectFrom('memories').where('user_id', '=', userId)
  const count = (query: typeof saved) =>
    query.select((eb) => eb.fn.countAll<number>().as('n')).executeTakeFirstOrThrow()
  if (conversationId) {
    const { n } = await count(saved.where('conversation_id', '=', conversationId))
    if (n >= limits.perConversation) return 'perConversation'
  }
  const { n } = await count(saved.where('created_at', '>', at - 3_600_000))
  return n >= limits.perHour ? 'perHour' : undefined
}

/** One FTS token, whatever the id is made of. */
const ownerOf = (userId: string) => `u${Buffer.from(userId).toString('hex')}`
const quoted = (term: string) => `"${term.replaceAll('"', '""')}"`
