import type { Migration } from '@promptkeep/sql'

/** What runs where, as the instances of apps report it: the newest report of each. */
export const fleet: Migration = {
  number: 4,
  name: 'what runs where',
  up({ types: { text, integer }, tableOptions }) {
    return [
      `create table fleet (
         app ${text} not null,
         instance ${text} not null,
         actor ${text} not null,
         seq ${integer},
         reported_at ${integer} not null,
         prompts ${text} not null,
         primary key (app, instance)
       ) ${tableOptions}`,
      `create index fleet_by_time on fleet (reported_at)`,
    ]
  },
}
