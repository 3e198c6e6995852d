import type { Migration } from '@promptkeep/sql'

/** The id of the request that made a change, so that the same request again makes no second one. */
export const moveRequestIds: Migration = {
  number: 2,
  name: 'request ids of alias moves',
  up: ({ types: { text } }) => [
    `alter table changes add column request_id ${text}`,
    `create unique index changes_by_request on changes (model_id, request_id) where request_id is not null`,
  ],
}
