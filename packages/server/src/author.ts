import type { Author, Principal } from './store/store.ts'

/** What a request says of the change that it asks for, beside who asks. */
export type Said = Pick<Author, 'reason' | 'evidence' | 'force'>

/** The author of a change that comes with this request. */
export const authorOf = (c: { get(key: 'principal'): Principal }, said: Said = {}): Author => ({
  ...c.get('principal'),
  ...said,
})
