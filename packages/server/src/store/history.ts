import type { StoreContext } from './context.ts'
import { resolveAt } from './past.ts'
import { resolveNow } from './resolve.ts'
import { rollback } from './rollback.ts'
import type { HistoryStore } from './store.ts'

/** What aliases say, said, and are brought back to. */
export function createHistoryStore(context: StoreContext): HistoryStore {
  return {
    resolve: (names, chain) => resolveNow(context, names, chain),
    resolveAt: (names, chain, at) => resolveAt(context, names, chain, at),
    rollback: (wanted) => rollback(context, wanted),
  }
}
