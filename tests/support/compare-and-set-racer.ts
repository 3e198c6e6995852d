import { createInterface } from 'node:readline'
import { hasCode } from '@promptkeep/client/protocol'
import { openStore } from '../../packages/server/src/store/open-store.ts'
import { ANYBODY } from '../../packages/server/src/store/store.ts'

/*
 * A process that tries to win: `compare-and-set-racer.ts <database URL> <actor>`. For each line `{ "to": …, "expected": … }`
 * on its input it moves the alias `production` of the prompt `race`, and answers a line `{ "won": …, "current"? }`.
 */

const [url = '', actor = ''] = process.argv.slice(2)
const store = await openStore(url)
process.stdout.write('"ready"\n')
for await (const line of createInterface({ input: process.stdin })) {
  const { to, expected } = JSON.parse(line) as { to: number; expected: number | null }
  const answer = await store.aliases
    .move({ name: 'race', alias: 'production', to, expected, ...ANYBODY, actor })
    .then(() => ({ won: true }))
    .catch((error: { current?: number | null }) => {
      if (hasCode(error, 'CONFLICT')) return { won: false, current: error.current }
      throw error
    })
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
await store.close()
