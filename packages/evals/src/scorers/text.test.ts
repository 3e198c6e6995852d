import { describe, expect, it } from 'vitest'
import { answer } from './answer.fixture.ts'
import type { ScorerKind } from './define-scorer.ts'
import type { Score } from './scorer.ts'
import { contains, excludes, length } from './text.ts'

interface Row {
  readonly rule: string
  readonly options?: object
  readonly expected?: Record<string, unknown>
  readonly output: string
  readonly score: number
  readonly reason?: string
}

async function score(kind: ScorerKind, { options = {}, expected, output }: Row): Promise<Score> {
  const bound = kind.bind(options)
  if (!('forCase' in bound)) throw new Error(JSON.stringify(bound))
  const scorer = bound.forCase({ expected })
  if (!scorer) throw new Error('nothing to check')
  return scorer(answer({ input: 'hi', output, expected }))
}

describe('contains', () => {
  it.each<Row>([
    { rule: 'finds a phrase in any case', options: { phrases: ['Paris'] }, output: 'in paris', score: 1 },
    { rule: 'sees whole words only', options: { phrases: ['art'] }, output: 'a party', score: 0 },
    { rule: 'reads curly quotes as plain', options: { phrases: ["don't"] }, output: 'I don’t', score: 1 },
    {
      rule: 'reads any dash as a hyphen',
      options: { phrases: ['well-kept'] },
      output: 'well–kept',
      score: 1,
    },
    { rule: 'looks across line breaks', options: { phrases: ['a b'] }, output: 'a\n  b', score: 1 },
    { rule: 'takes punctuation literally', options: { phrases: ['(a+b)?'] }, output: 'is (a+b)?', score: 1 },
    { rule: 'scores the share it finds', options: { phrases: ['a', 'b'] }, output: 'a', score: 0.5 },
    {
      rule: 'names what is missing',
      options: { phrases: ['a', 'b'] },
      output: 'a',
      score: 0.5,
      reason: 'does not say "b"',
    },
    { rule: 'needs one of many', options: { phrases: ['a', 'b'], match: 'any' }, output: 'b', score: 1 },
    { rule: 'fails without any', options: { phrases: ['a', 'b'], match: 'any' }, output: 'c', score: 0 },
    {
      rule: 'without phrases of its own checks what the case expects',
      expected: { contains: ['Lyon'] },
      output: 'Paris',
      score: 0,
    },
    {
      rule: 'needs no spaces where a script sets none',
      options: { phrases: ['東京'] },
      output: '首都は東京です',
      score: 1,
    },
    { rule: 'sees whole words with vowel signs', options: { phrases: ['हिन्द'] }, output: 'हिन्दी', score: 0 },
    {
      rule: 'takes a letter and its accent as one',
      options: { phrases: ['cafe\u0301'] },
      output: 'Café',
      score: 1,
    },
    {
      rule: 'sees through signs that nobody sees',
      options: { phrases: ['donkey'] },
      output: 'don\u200Bkey',
      score: 1,
    },
    { rule: 'knows a phrase of one letter', options: { phrases: ['I'] }, output: 'it', score: 0 },
    { rule: 'knows a phrase of signs alone', options: { phrases: ['?!'] }, output: 'what?!', score: 1 },
    { rule: 'knows patterns', options: { patterns: ['^\\d+$'] }, output: 'x\n12\ny', score: 1 },
  ])('$rule', async (row) => {
    const { score: got, reason } = await score(contains, row)
    expect(got).toBe(row.score)
    if (row.reason) expect(reason).toBe(row.reason)
  })

  it('with phrases of its own reads nothing from the case', () => {
    const bound = contains.bind({ phrases: ['a'] })
    expect(bound).toMatchObject({ expects: undefined })
  })

  it('has nothing to check where neither suite nor case ask for anything', () => {
    const bound = contains.bind({})
    expect('forCase' in bound && bound.forCase({})).toBe(undefined)
  })
})

describe('excludes', () => {
  const bullets = { patterns: ['^\\s*[-*]\\s'] }
  it.each<Row>([
    {
      rule: 'passes an answer without them',
      options: { phrases: ['great question'] },
      output: 'Hi',
      score: 1,
    },
    {
      rule: 'names what was said',
      options: { phrases: ['great question'] },
      output: 'Great question!',
      score: 0,
      reason: 'says "great question"',
    },
    { rule: 'leaves longer words alone', options: { phrases: ['sure'] }, output: 'I assured him', score: 1 },
    { rule: 'sees a pattern on any line', options: bullets, output: 'I can:\n- this\n- that', score: 0 },
    {
      rule: 'without phrases of its own checks what the case forbids',
      expected: { excludes: ['Ada'] },
      output: 'Hello Ada',
      score: 0,
    },
  ])('$rule', async (row) => {
    const { score: got, reason } = await score(excludes, row)
    expect(got).toBe(row.score)
    if (row.reason) expect(reason).toBe(row.reason)
  })
})

describe('length', () => {
  it.each<Row>([
    { rule: 'counts characters, not code units', options: { max_characters: 2 }, output: '👍👍', score: 1 },
    { rule: 'refuses a long answer', options: { max_characters: 3 }, output: 'four', score: 0 },
    { rule: 'refuses an empty answer', options: { min_characters: 1 }, output: '  \n', score: 0 },
    { rule: 'counts words', options: { max_words: 2 }, output: 'one two three', score: 0 },
    {
      rule: "lets a case's limit replace the suite's",
      options: { max_words: 2 },
      expected: { length: { max_words: 3 } },
      output: 'one two three',
      score: 1,
    },
  ])('$rule', async (row) => expect((await score(length, row)).score).toBe(row.score))
})

describe('options', () => {
  it.each([
    { rule: 'an unknown key', kind: contains, options: { phrase: ['a'] }, path: ['phrase'] },
    { rule: 'an empty list', kind: excludes, options: { phrases: [] }, path: ['phrases'] },
    { rule: 'a broken pattern', kind: excludes, options: { patterns: ['('] }, path: ['patterns', 0] },
    { rule: 'a negative limit', kind: length, options: { max_words: -1 }, path: ['max_words'] },
    { rule: 'a name that no metric can have', kind: length, options: { name: 'a/b c' }, path: ['name'] },
  ])('refuses $rule where it stands', ({ kind, options, path }) => {
    expect(kind.bind(options)).toMatchObject([{ path }])
  })
})
