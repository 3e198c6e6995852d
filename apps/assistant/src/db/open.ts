import { type Database, openDatabase } from '@promptkeep/sql'
import { MIGRATIONS } from './migrations.ts'
import type { Tables } from './schema.ts'

export type AssistantDatabase = Database<Tables>

/** @throws {SqlError} in words for the person who wrote `ASSISTANT_DATABASE`. */
export const openAssistantDatabase = (url: string): Promise<AssistantDatabase> =>
  openDatabase<Tables>(url, { migrations: MIGRATIONS })
