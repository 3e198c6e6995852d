import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect, it, onTestFinished } from 'vitest'
import { createConversationStore } from './conversations.ts'
import { createMemoryStore } from './memories.ts'
import type { Answer } from './messages.ts'
import { openAssistantDatabase } from './open.ts'
import { USER_TABLES } from './schema.ts'
import { createUserStore } from './users.ts'

async function setup() {
  const database = await openAssistantDatabase('sqlite::memory:')
  onTestFinished(() => database.close())
  const { db } = database
  const clock = { now: () => 1000, newId: randomUUID }
  const stores = {
    conversations: createConversationStore({ db, ...clock }),
    memories: createMemoryStore({ db, ...clock }),
    users: createUserStore({ db, ...clock }),
  }
  return { db, ...stores }
}

const answer: Answer = {
  ...{ output: 'Good day.', status: 'complete', items: [], toolCalls: [], fingerprint: 'f', model: 'small' },
  ...{ usage: { inputTokens: 1, outputTokens: 1, requests: 1 }, isDemo: false, correlationId: 'x' },
  prompts: { memory: { version: 3, alias: 'production', digest: 'd', source: 'cache', ageMs: 12.7 } },
}

/** Something of a user in every table. */
async function fill({ conversations, memories, users }: Awaited<ReturnType<typeof setup>>, userId: string) {
  await users.endOnboarding(userId)
  await conversations.keepGreeting(userId, answer)
  const begun = await conversations.begin({ userId, content: 'hi', correlationId: 'x' })
  await conversations.addAnswer(userId, begun?.id ?? '', answer)
  const draft = { userId, conversationId: null, correlationId: 'x', content: `tea of ${userId}` }
  const limits = { perConversation: 9, perHour: 9 }
  const saved = await memories.add({ ...draft, type: 'fact', confidence: 1, importance: 1 }, limits)
  await memories.noteShown(userId, null, 'id' in saved ? [saved.id] : [])
}

it('keys every table by user, and knows every table', async () => {
  const { db } = await setup()
  const { rows } = await sql<{ name: string }>`
    select name from sqlite_master
    where type = 'table' and name not like 'sqlite_%' and name not like 'memories_fts%' and name <> 'migrations'`.execute(
    db,
  )
  expect(rows.map(({ name }) => name).sort()).toEqual([...USER_TABLES].sort())
  for (const { name } of rows) {
    const columns = await sql<{
      name: string
      pk: number
    }>`select name, pk from pragma_table_info(${name})`.execute(db)
    expect(
      columns.rows.map((column) => column.name),
      name,
    ).toContain('user_id')
  }
})

it('forgets one user in every table, the search index too, and nobody else', async () => {
  const stores = await setup()
  const { db, users, memories } = stores
  await fill(stores, 'ada')
  await fill(stores, 'bob')
  const count = async (table: string, userId: string) => {
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from ${sql.table(table)} where user_id = ${userId}`.execute(db)
    return rows[0]?.n
  }
  for (const table of USER_TABLES)
    expect([await count(table, 'ada'), await count(table, 'bob')], table).not.toContain(0)
  await users.forget('ada')
  for (const table of USER_TABLES) {
    expect(await count(table, 'ada'), table).toBe(0)
    expect(await count(table, 'bob'), table).toBeGreaterThan(0)
  }
  const { rows } = await sql<{ n: number }>`select count(*) as n from memories_fts`.execute(db)
  expect(rows[0]?.n).toBe(1)
  expect((await memories.search('bob', 'tea', { limit: 5 })).total).toBe(1)
})

it('keeps the five newest greetings of a user', async () => {
  const { conversations, db } = await setup()
  for (let i = 0; i < 7; i++) await conversations.keepGreeting('ada', answer)
  const { rows } = await sql<{ n: number }>`select count(*) as n from greetings`.execute(db)
  expect(rows[0]?.n).toBe(5)
})

it('cuts long titles and previews between characters', async () => {
  const { conversations } = await setup()
  const begun = await conversations.begin({
    userId: 'ada',
    content: `a\n${'😀'.repeat(200)}`,
    correlationId: 'x',
  })
  const { items } = await conversations.list('ada', { limit: 1, offset: 0 })
  expect(items[0]).toMatchObject({
    id: begun?.id,
    title: `a ${'😀'.repeat(77)}…`,
    preview: `a ${'😀'.repeat(97)}…`,
  })
})
