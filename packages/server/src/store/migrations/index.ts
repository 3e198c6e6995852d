import type { Migration } from '@promptkeep/sql'
import { registryAndRuns } from './001-registry-and-runs.ts'
import { moveRequestIds } from './002-move-request-ids.ts'
import { whoMay } from './003-who-may.ts'
import { fleet } from './004-fleet.ts'

/** Oldest first. A migration that was released is never edited: the next one corrects it. */
export const migrations: readonly Migration[] = [registryAndRuns, moveRequestIds, whoMay, fleet]
