import { describe, expect, it } from 'vitest'
import { parseDataset } from './dataset.ts'
import { parseSuite } from './suite.ts'

const { scorers } = parseSuite(
  'name: s\ndataset: d\ntarget: t\nscorers: [contains, delegation]\nthreshold: 1\n',
  's.yaml',
)
const YAML = `description: two of them
cases:
  - id: one
    input: Hello
    expected: { contains: [hi] }
  - id: two
    turns: [a, b]
    expected:
      delegations: []
    tags: [short]
`
const CASES = [
  { id: 'one', input: 'Hello', expected: { contains: ['hi'] } },
  { id: 'two', turns: ['a', 'b'], expected: { delegations: [] }, tags: ['short'] },
]

describe('a dataset', () => {
  it('is the same in YAML, JSON and JSON Lines', async () => {
    const yaml = await parseDataset(YAML, 'd/two.yaml', scorers)
    const json = await parseDataset(JSON.stringify(CASES, null, '\t'), 'two.json', scorers)
    const lines = CASES.map((one) => JSON.stringify(one)).join('\n\n')
    const jsonl = await parseDataset(`${lines}\n`, 'two.jsonl', scorers)
    expect(yaml).toMatchObject({ name: 'two', cases: CASES })
    expect(json.cases).toEqual(yaml.cases)
    expect(jsonl.cases).toEqual(yaml.cases)
    expect([json.digest, jsonl.digest]).toEqual([yaml.digest, yaml.digest])
  })

  it('has the digest that anyone can compute: SHA-256 over the RFC 8785 form of its cases', async () => {
    const sorted =
      '[{"expected":{"contains":["hi"]},"id":"one","input":"Hello"},' +
      '{"expected":{"delegations":[]},"id":"two","tags":["short"],"turns":["a","b"]}]'
    const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(sorted))
    const { digest } = await parseDataset(YAML, 'two.yaml', scorers)
    expect(digest).toBe(Buffer.from(hash).toString('hex'))
  })

  it('has another digest when one character differs', async () => {
    const before = await parseDataset(YAML, 'two.yaml', scorers)
    const after = await parseDataset(YAML.replace('Hello', 'Hallo'), 'two.yaml', scorers)
    expect(after.digest).not.toBe(before.digest)
  })

  it.each([
    {
      rule: 'an id twice',
      from: 'id: two',
      to: 'id: one',
      error: 'two.yaml:6: cases[1].id: one is already case 1',
    },
    {
      rule: 'an id with capitals',
      from: 'id: two',
      to: 'id: Two',
      error: 'two.yaml:6: cases[1].id: must be',
    },
    { rule: 'no input', from: '    input: Hello\n', to: '', error: 'two.yaml:3: cases[0]: must have either' },
    {
      rule: 'input and turns',
      from: 'turns: [a, b]',
      to: 'turns: [a]\n    input: x',
      error: 'two.yaml:6: cases[1]: ',
    },
    { rule: 'an unknown key', from: 'tags:', to: 'tag:', error: 'two.yaml:10: cases[1].tag: no such key' },
    {
      rule: 'an expectation that no scorer reads',
      from: 'delegations: []',
      to: 'delegation: []',
      error:
        'two.yaml:9: cases[1].expected.delegation: no scorer of this suite reads it; they read contains, dele',
    },
    {
      rule: 'an expectation of the wrong kind',
      from: 'delegations: []',
      to: 'delegations: none',
      error: 'two.yaml:9: cases[1].expected.delegations: ',
    },
    {
      rule: 'a case that nothing checks',
      from: '    expected: { contains: [hi] }\n',
      to: '',
      error: 'two.yaml:3: cases[0]: no scorer of this suite has anything to check',
    },
  ])('refuses $rule, with its line', async ({ from, to, error }) => {
    expect(YAML).toContain(from)
    await expect(parseDataset(YAML.replace(from, to), 'two.yaml', scorers)).rejects.toThrow(error)
  })

  it('names the line of a broken record', async () => {
    const text = `${JSON.stringify(CASES[0])}\n\n{"id": "two"\n`
    await expect(parseDataset(text, 'two.jsonl', scorers)).rejects.toThrow('two.jsonl:3: not JSON')
  })

  it('names the line of a wrong record', async () => {
    const text = `${JSON.stringify(CASES[0])}\n\n{"id": "two"}\n`
    await expect(parseDataset(text, 'two.jsonl', scorers)).rejects.toThrow('two.jsonl:3: [1]: must have')
  })

  it('refuses an empty one', async () => {
    await expect(parseDataset('', 'none.jsonl', scorers)).rejects.toThrow('none.jsonl:1: ')
    await expect(parseDataset('', 'none.yaml', scorers)).rejects.toThrow('none.yaml:1: ')
  })
})
