import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '@promptkeep/sql'
import { expect, it, onTestFinished } from 'vitest'
import { openStore } from '../open-store.ts'
import type { Tables } from '../schema.ts'
import { ANYBODY } from '../store.ts'
import { migrations } from './index.ts'

it('a database of the first release keeps its log, and takes request ids', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'promptkeep-migrations-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const url = `sqlite:${join(folder, 'registry.db')}`
  const { db, close } = await openDatabase<Tables>(url, { migrations: migrations.slice(0, 1) })
  const at = 1_700_000_000_000
  const logged = { seq: 1, kind: 'prompt.deleted', prompt: 'memory', actor: 'ada', at } as const
  const { kind, prompt, actor } = logged
  await db
    .insertInto('changes')
    .values({ seq: 1, kind, model_id: 1, prompt, actor, at } as never)
    .execute()
  await db.updateTable('counters').set({ value: 1 }).where('name', 'in', ['change', 'model']).execute()
  await close()

  const store = await openStore(url)
  onTestFinished(() => store.close())
  const tags = { 'mlflow.prompt.is_prompt': 'true', 'mlflow.prompt.text': 'Hi' }
  await store.prompts.create({ name: prompt, description: '', tags })
  const draft = { name: prompt, source: 'dummy-source', runId: '', runLink: '', description: '', tags }
  await store.versions.create(draft, { ...ANYBODY, actor })
  const move = { name: prompt, alias: 'a', to: 1, requestId: 'r-1', ...ANYBODY, actor }
  const moved = await store.aliases.move(move)
  expect(await store.aliases.move(move)).toEqual(moved)
  const log = await store.changes.after(0, 10)
  expect(log.map((change) => change.kind)).toEqual(['prompt.deleted', 'version.registered', 'alias.moved'])
  expect(log[0]).toEqual(logged)
})
