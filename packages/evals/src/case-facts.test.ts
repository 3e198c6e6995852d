import { describe, expect, it } from 'vitest'
import { type CaseFacts, factTags, readFacts } from './case-facts.ts'

const read = (cases: readonly CaseFacts[], tags = factTags(cases)) =>
  readFacts(
    tags,
    cases.map(({ id }) => id),
  )

describe('facts of cases, as a run logs them', () => {
  it('come back as they were', () => {
    const cases: CaseFacts[] = [
      { id: 'a', weight: 2.5, tags: ['polite', 'long'] },
      { id: 'b', cluster: 'refund', tags: ['polite'] },
      { id: 'c' },
      { id: 'd', cluster: 'refund', weight: 0.1 },
    ]
    expect(read(cases)).toEqual(cases)
  })

  it('cost no tag where every case is an ordinary one', () => {
    const cases = [{ id: 'a' }, { id: 'b', weight: 1, tags: [] }]
    expect(factTags(cases)).toEqual({})
    expect(read(cases)).toEqual([{ id: 'a' }, { id: 'b' }])
  })

  it('fit into tags of a stock MLflow, whatever they are named', () => {
    const cases = Array.from({ length: 3000 }, (_, i) => ({
      id: `case-${i}`,
      cluster: `größe 🎉 ${i % 500}`,
      tags: [`"${i % 7}"`, '__proto'],
    }))
    const tags = factTags(cases)
    expect(Object.keys(tags).length).toBeGreaterThan(3)
    for (const text of Object.values(tags)) {
      expect(text.length).toBeLessThanOrEqual(7_500)
      expect(text).toMatch(/^[\x20-\x7e]*$/)
    }
    const back = read(cases, tags)
    expect(back?.map(({ cluster }) => cluster)).toEqual(cases.map(({ cluster }) => cluster))
    expect(back?.every(({ tags = [] }) => tags.length === 2)).toBe(true)
  })

  it.each(['{"weights":', '[]', '{"tags":{"a":["x"]}}'])('that are %s cannot be read', (text) => {
    expect(readFacts({ 'promptkeep.facts.0': text }, ['a'])).toBeUndefined()
  })
})
