import { describe, expect, it } from 'vitest'
import { compareSides, type Sides } from './compare.ts'

const at = (version: number, digest: string, seeded = false) => ({ version, digest, seeded })

const rules: { rule: string; sides: Sides; want: string }[] = [
  { rule: 'equal texts', sides: { file: 'a', lock: 'a', there: at(1, 'a') }, want: 'same' },
  {
    rule: 'equal texts, whatever the lock says',
    sides: { file: 'a', lock: 'b', there: at(1, 'a') },
    want: 'same',
  },
  { rule: 'an edited file', sides: { file: 'b', lock: 'a', there: at(1, 'a') }, want: 'file newer' },
  { rule: 'a moved alias', sides: { file: 'a', lock: 'a', there: at(2, 'b') }, want: 'registry newer' },
  { rule: 'edits on both sides', sides: { file: 'c', lock: 'a', there: at(2, 'b') }, want: 'both changed' },
  {
    rule: 'a difference that no lock explains',
    sides: { file: 'b', there: at(1, 'a') },
    want: 'both changed',
  },
  { rule: 'a file that was never pushed', sides: { file: 'a' }, want: 'only here' },
  { rule: 'a prompt without a file', sides: { there: at(1, 'a') }, want: 'only there' },
  { rule: 'a file that was deleted', sides: { lock: 'a', there: at(1, 'a') }, want: 'only there' },
  {
    rule: 'a push without an alias: the lock has it, the alias does not',
    sides: { file: 'b', lock: 'b', there: at(1, 'a'), held: { version: 2, waiting: true } },
    want: 'file newer',
  },
  {
    rule: 'an alias rolled back after the push',
    sides: { file: 'b', lock: 'b', there: at(1, 'a'), held: { version: 2, waiting: false } },
    want: 'registry newer',
  },
  {
    rule: 'an alias that went on from the text of the file',
    sides: { file: 'a', there: at(2, 'b'), held: { version: 1, waiting: false } },
    want: 'registry newer',
  },
  {
    rule: 'a file taken back by hand to an old text',
    sides: { file: 'a', lock: 'b', there: at(2, 'b'), held: { version: 1, waiting: false } },
    want: 'file newer',
  },
  {
    rule: 'a registry that was seeded from an older checkout',
    sides: { file: 'b', lock: 'b', there: at(1, 'a', true) },
    want: 'file newer',
  },
  {
    rule: 'an edit over a registry that was seeded from an older checkout',
    sides: { file: 'c', lock: 'b', there: at(1, 'a', true) },
    want: 'file newer',
  },
  {
    rule: 'a roll back to the seeded text',
    sides: { file: 'b', lock: 'b', there: at(1, 'a', true), held: { version: 2, waiting: false } },
    want: 'registry newer',
  },
]

describe('compareSides', () => {
  it.each(rules)('$rule: $want', ({ sides, want }) => expect(compareSides(sides)).toBe(want))
})
