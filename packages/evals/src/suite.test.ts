import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseSuite } from './suite.ts'

const GOOD = `name: tone
dataset: datasets/tone.yaml
target: ../src/eval-target.ts#chat
scorers:
  - excludes:
      name: filler
      phrases: [great question]
  - length: { max_words: 120 }
  - contains
threshold: 0.9
`

describe('a suite', () => {
  it('reads what it says, and where its files are', () => {
    const suite = parseSuite(GOOD, 'evals/tone.yaml')
    expect(suite).toMatchObject({
      name: 'tone',
      path: resolve('evals/tone.yaml'),
      dataset: resolve('evals/datasets/tone.yaml'),
      target: '../src/eval-target.ts#chat',
      gates: [{ metric: 'pass_rate', direction: 'higher', threshold: 0.9, margin: 0.1 }],
      concurrency: 4,
      caseTimeoutMs: 60_000,
    })
    expect(suite.scorers.map(({ name, kind }) => [name, kind])).toEqual([
      ['filler', 'excludes'],
      ['length', 'length'],
      ['contains', 'contains'],
    ])
  })

  it('says of a list that it looks like a dataset', () => {
    expect(() => parseSuite('- id: a\n  input: b\n', 'evals/cases.yaml')).toThrow(
      /^evals\/cases\.yaml:1: a suite has name, dataset, target and scorers, and this is a list: a dataset\?/,
    )
  })

  it('may be decided by one scorer', () => {
    const suite = parseSuite(`${GOOD}metric: score.filler\ndirection: higher\n`, 'tone.yaml')
    expect(suite.gates[0].metric).toBe('score.filler')
  })

  it.each([
    { rule: 'a missing key', from: 'threshold: 0.9\n', to: '', error: 'tone.yaml:1: threshold: ' },
    {
      rule: 'an unknown key',
      from: 'threshold',
      to: 'treshold',
      error: 'tone.yaml:10: treshold: no such key',
    },
    { rule: 'a number out of range', from: '0.9', to: '90', error: 'tone.yaml:10: threshold: ' },
    {
      rule: 'a name with spaces',
      from: 'name: tone',
      to: 'name: My Tone',
      error: 'tone.yaml:1: name: must be',
    },
    { rule: 'broken YAML', from: 'name: tone', to: 'name: [tone', error: /^tone\.yaml:\d+: / },
    { rule: 'the same key twice', from: 'name: tone', to: 'name: a\nname: b', error: 'tone.yaml:2: ' },
    {
      rule: 'an unknown scorer',
      from: '  - contains',
      to: '  - containz',
      error: 'tone.yaml:9: scorers[2]: unknown scorer "containz"; there are equals, contains, excludes',
    },
    {
      rule: 'a wrong option of a scorer',
      from: 'max_words: 120',
      to: 'max_words: many',
      error: 'tone.yaml:8: scorers[1].length.max_words: ',
    },
    {
      rule: 'an option that a scorer has not',
      from: 'phrases: [great question]',
      to: 'phrase: great question',
      error: 'tone.yaml:7: scorers[0].excludes.phrase: no such key here',
    },
    {
      rule: 'two scorers of one name',
      from: '  - contains',
      to: '  - length',
      error: 'tone.yaml:9: scorers[2]: a second scorer named length',
    },
    {
      rule: 'a metric that nothing measures',
      from: 'threshold',
      to: 'metric: score.lenght\nthreshold',
      error: 'tone.yaml:10: metric: must be one of pass_rate, score.filler, score.length, score.contains',
    },
  ])('refuses $rule, with its line', ({ from, to, error }) => {
    expect(GOOD).toContain(from)
    expect(() => parseSuite(GOOD.replace(from, to), 'tone.yaml')).toThrow(error)
  })

  it('names every problem at once', () => {
    const text = GOOD.replace('tone\n', 'Tone\n').replace('0.9', 'high')
    expect(() => parseSuite(text, 'tone.yaml')).toThrow(/^tone\.yaml:1: name.*\ntone\.yaml:10: threshold/)
  })
})
