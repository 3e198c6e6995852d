/*
 * A search as MLflow's filter language asks for it, and what it finds.
 */

export type Comparator =
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'LIKE'
  | 'ILIKE'
  | 'IN'
  | 'NOT IN'
  | 'IS NULL'
  | 'IS NOT NULL'

/** One condition of an MLflow filter; a filter is the conjunction of its clauses. */
export interface Clause {
  readonly entity: 'attribute' | 'tag' | 'metric' | 'param' | 'dataset'
  readonly key: string
  readonly comparator: Comparator
  /** A list for IN and NOT IN, absent for IS [NOT] NULL. */
  readonly value?: string | number | readonly (string | number)[]
}

export interface Order {
  readonly entity: Clause['entity']
  readonly key: string
  readonly ascending: boolean
}

export interface Search {
  readonly clauses: readonly Clause[]
  readonly orderBy: readonly Order[]
  readonly limit: number
  readonly offset: number
}

export interface Found<T> {
  readonly items: readonly T[]
  /** Whether a row lies behind the last one. */
  readonly more: boolean
}
