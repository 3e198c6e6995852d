import { describe, expect, it } from 'vitest'
import { queryTermsOf, sameTextKey, termsOf } from './terms.ts'

describe('termsOf', () => {
  it.each([
    { rule: 'folds case and English endings', text: 'Running DOGS', want: ['run', 'dog'] },
    { rule: 'folds accents, composed or not', text: 'café cafe\u0301', want: ['cafe', 'cafe'] },
    { rule: 'folds ß', text: 'Straße', want: ['strass'] },
    { rule: 'cuts Chinese into words', text: '我住在北京', want: ['我', '住在', '北京'] },
    { rule: 'keeps the marks that are letters', text: 'हिन्दी', want: ['हिन्दी'] },
    { rule: 'keeps Japanese voicing', text: 'がか', want: ['が', 'か'] },
    { rule: 'drops the possessive', text: "Ada's dog", want: ['ada', 'dog'] },
    { rule: 'has nothing for punctuation and emoji', text: '👍 … "*" :', want: [] },
  ])('$rule', ({ text, want }) => expect(termsOf(text)).toEqual(want))
})

describe('queryTermsOf', () => {
  it.each([
    { rule: 'drops stop words', query: 'What is the dog of Ada?', strong: ['dog', 'ada'], weak: [] },
    { rule: 'knows weak words', query: 'favourite coffee', strong: ['coffe'], weak: ['favourit'] },
    { rule: 'keeps an English word that another language stops', query: 'car', strong: ['car'], weak: [] },
    { rule: 'keeps it beside a weak one', query: 'son name', strong: ['son'], weak: ['name'] },
    {
      rule: 'counts generic verbs and times as weak',
      query: 'call on Monday',
      strong: [],
      weak: ['call', 'mondai'],
    },
    { rule: 'drops pronouns', query: 'does she have a nurse', strong: ['nurs'], weak: [] },
    { rule: 'drops the name of a type', query: 'decisions about oak', strong: ['oak'], weak: [] },
    { rule: 'drops German stop words', query: 'Wo ist meine Katze', strong: ['katz'], weak: [] },
    { rule: 'drops French stop words', query: 'Où est ma voiture', strong: ['voitur'], weak: [] },
  ])('$rule', ({ query, strong, weak }) => {
    expect(queryTermsOf(query)).toEqual({ strong, weak, isOverview: false })
  })

  it.each([
    'what do you know about me',
    'decisions',
    'my preferences and notes',
    'important facts',
    'Tell me everything you remember',
    ' ',
  ])('reads %j as "whatever there is"', (query) =>
    expect(queryTermsOf(query)).toEqual({ strong: [], weak: [], isOverview: true }),
  )

  it.each(['the of and', '👍', '"" * ^'])('finds nothing to search for in %j', (query) =>
    expect(queryTermsOf(query)).toEqual({ strong: [], weak: [], isOverview: false }),
  )
})

describe('sameTextKey', () => {
  it.each([
    { rule: 'case, accents, articles', a: 'The user likes CAFÉ.', b: 'user likes cafe', same: true },
    { rule: 'numbers', a: 'User has 2 cats', b: 'User has 3 cats', same: false },
    { rule: 'a negation', a: 'User likes cats', b: 'User does not like cats', same: false },
    { rule: 'emoji alone', a: '👍', b: '👎', same: false },
  ])('$rule: same is $same', ({ a, b, same }) => expect(sameTextKey(a) === sameTextKey(b)).toBe(same))
})
