import { describe, expect, it } from 'vitest'
import { countPlaceholders } from './statement.ts'

describe('countPlaceholders', () => {
  it.each([
    ['none', 'select 1', 0],
    ['some', 'select ? where a = ? and b in (?, ?)', 4],
    ['not those in a string', "select '?''?', ?", 1],
    ['not those in a quoted name', 'select "?""?", `?`, [?], ?', 1],
    ['not those in a comment', 'select ? -- ?\n, ? /* ? \n ? */', 2],
    ['a statement with its end', 'select ?;  ', 1],
    ['a semicolon in a string', "select ';', ?", 1],
    [
      'a trigger with statements of its own',
      'create trigger x after insert on t begin insert into u values (1); delete from v; end',
      0,
    ],
  ])('counts %s', (_, sql, want) => expect(countPlaceholders(sql)).toBe(want))
})
