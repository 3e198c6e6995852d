import { digestOf } from '@promptkeep/client/protocol'
import type { Snapshot } from '@promptkeep/client/snapshot'

/** Prompts `p00`, `p01`, … that all hold the number: a snapshot that mixes two states shows it. */
export async function snapshotOf(number: number, { prompts = 20, length = 5_000 } = {}): Promise<Snapshot> {
  const entries = await Promise.all(
    Array.from({ length: prompts }, async (_, i) => {
      const template = `${number} ${'é'.repeat(length)}`
      const digest = await digestOf({ template })
      const version = {
        name: `p${String(i).padStart(2, '0')}`,
        version: 1,
        template,
        commitMessage: '',
        tags: { number: String(number) },
        aliases: ['production'],
        createdAt: 1_700_000_000_000,
        digest,
      }
      return { alias: 'production', version, confirmedAt: 1_700_000_000_000 + i }
    }),
  )
  return { address: 'http://127.0.0.1:5055', workspace: '', savedAt: 1_700_000_000_000, entries }
}
