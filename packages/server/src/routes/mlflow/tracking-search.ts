import { InvalidInput } from '@promptkeep/client/protocol'
import type { Search } from '../../store/store.ts'
import { parseFilter, parseOrderBy } from './filter.ts'
import { offsetOf } from './page-token.ts'

const MAX_RESULTS = 50_000

/** What the searches of experiments and of runs have in common. @throws {InvalidInput} with MLflow's texts */
export function readTrackingSearch(
  subject: 'experiments' | 'runs',
  request: {
    readonly max_results: number
    readonly page_token: string | undefined
    readonly filter: string | undefined
    readonly order_by: readonly string[]
  },
): Search {
  const { max_results: limit } = request
  const wrong = `Invalid value ${limit} for parameter 'max_results' supplied. It must be`
  if (limit < 1) throw new InvalidInput(`${wrong} a positive integer`)
  if (limit > MAX_RESULTS) throw new InvalidInput(`${wrong} at most ${MAX_RESULTS}`)
  return {
    clauses: parseFilter(subject, request.filter),
    orderBy: parseOrderBy(subject, request.order_by),
    limit,
    offset: offsetOf(request.page_token),
  }
}
