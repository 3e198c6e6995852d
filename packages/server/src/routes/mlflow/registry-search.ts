import { InvalidInput } from '@promptkeep/client/protocol'
import type { Search } from '../../store/store.ts'
import { atMost, integer, list, orDefault, type RequestOf, string } from './fields.ts'
import { parseFilter, parseOrderBy } from './filter.ts'
import type { Subject } from './filter-subjects.ts'
import { offsetOf } from './page-token.ts'

/** The request of both registry searches; they differ in how many rows a page may hold. */
export const searchFields = (maxResults: { default: number; most: number }) => ({
  filter: string,
  max_results: atMost(maxResults.most, orDefault(integer, maxResults.default)),
  order_by: list(string),
  page_token: string,
})

type SearchRequest = RequestOf<ReturnType<typeof searchFields>>

/** @throws {InvalidInput} with MLflow's texts; a negative page size too, where MLflow hands out a broken token */
export function readSearch(subject: Subject, request: SearchRequest): Search {
  const { filter, max_results: limit, order_by, page_token } = request
  if (limit < 0)
    throw new InvalidInput(`Invalid value for max_results. It must be a positive integer, but got ${limit}`)
  return {
    clauses: parseFilter(subject, filter),
    orderBy: parseOrderBy(subject, order_by),
    limit,
    offset: offsetOf(page_token),
  }
}
