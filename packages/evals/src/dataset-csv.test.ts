import { describe, expect, it } from 'vitest'
import { parseDataset } from './dataset.ts'
import { parseSuite } from './suite.ts'

const { scorers } = parseSuite(
  'name: s\ndataset: d\ntarget: t\nscorers: [contains, length, equals]\nthreshold: 1\n',
  's.yaml',
)
const read = (text: string, path = 'd/two.csv') => parseDataset(text, path, scorers)

const CSV = `id,input,turns,expected.contains,expected.length.max_words,context,seed,tags,weight,cluster
one,"Hello, ""you""
there",,"[""hi""]",80,"{""city"":""Oslo""}",,short; polite,2,greetings
two,,"[""a"",""b""]",,5,,"{""memories"":[""tea""]}","[""a;b""]",0.5,
`
const CASES = [
  {
    id: 'one',
    input: 'Hello, "you"\nthere',
    expected: { contains: ['hi'], length: { max_words: 80 } },
    context: { city: 'Oslo' },
    tags: ['short', 'polite'],
    weight: 2,
    cluster: 'greetings',
  },
  {
    id: 'two',
    turns: ['a', 'b'],
    expected: { length: { max_words: 5 } },
    seed: { memories: ['tea'] },
    tags: ['a;b'],
    weight: 0.5,
  },
]

describe('a dataset in CSV', () => {
  it('has the cases, and the digest, of the same in JSON Lines and YAML', async () => {
    const lines = CASES.map((one) => JSON.stringify(one)).join('\n')
    const jsonl = await read(lines, 'two.jsonl')
    const yaml = await read(JSON.stringify({ cases: CASES }), 'two.yaml')
    const csv = await read(CSV)
    expect(csv).toMatchObject({ name: 'two', cases: CASES })
    expect([jsonl.digest, yaml.digest]).toEqual([csv.digest, csv.digest])
  })

  it.each([
    { rule: 'a byte order mark', text: `\uFEFF${CSV}` },
    { rule: 'CRLF, inside of cells too', text: CSV.replaceAll('\n', '\r\n') },
    { rule: 'the line breaks of an old Mac', text: CSV.replaceAll('\n', '\r') },
    { rule: 'no line break at the end', text: CSV.trimEnd() },
    { rule: 'empty lines', text: `\n${CSV.replace('\ntwo', '\n\n\ntwo')}\n\n` },
    { rule: 'every cell quoted', text: CSV.replace(',,"["', ',"","["').replace('id,input', '"id","input"') },
  ])('is the same with $rule', async ({ text }) => {
    expect(text).not.toBe(CSV)
    expect((await read(text)).digest).toBe((await read(CSV)).digest)
  })

  it.each([
    { cell: '42', value: 42 },
    { cell: '-1.5', value: -1.5 },
    { cell: '1.10', value: '1.10' },
    { cell: '007', value: '007' },
    { cell: '1e3', value: '1e3' },
    { cell: 'NaN', value: 'NaN' },
    { cell: 'true', value: true },
    { cell: 'null', value: null },
    { cell: 'True', value: 'True' },
    { cell: '"""42"""', value: '42' },
    { cell: ' padded ', value: ' padded ' },
    { cell: 'plain', value: 'plain' },
    { cell: '"{""a"": [1]}"', value: { a: [1] } },
  ])('reads the part $cell as a value', async ({ cell, value }) => {
    const { cases } = await read(`id,input,expected.equals,context.it\na,b,x,${cell}\n`)
    expect(cases[0]?.context).toEqual({ it: value })
  })

  it('lets input be any text: nothing in it is read as JSON', async () => {
    const { cases } = await read('id,input,expected.equals\na,"[1",x\nb,true,x\n')
    expect(cases.map(({ input }) => input)).toEqual(['[1', 'true'])
  })

  it.each([
    { rule: 'nothing', text: '', error: 'two.csv:1: is empty: its first line names the columns' },
    { rule: 'only a header', text: 'id,input\n', error: 'two.csv:1: must have at least one case' },
    { rule: 'a column twice', text: 'id,id\na,b\n', error: 'two.csv:1: column id stands there twice' },
    {
      rule: 'a column and a part of it',
      text: 'id,input,expected.length.max_words,expected.length\na,b,1,2\n',
      error:
        'two.csv:1: columns expected.length.max_words and expected.length would both say what expected.length is',
    },
    {
      rule: 'an unknown column',
      text: 'id,question\na,b\n',
      error: 'two.csv:1: no such column: "question"; there are id, input, turns, expected,',
    },
    {
      rule: 'a space before a column',
      text: 'id, input\na,b\n',
      error: 'two.csv:1: no such column: " input"',
    },
    {
      rule: 'another separator',
      text: 'id;input\na;b\n',
      error: /two\.csv:1: no such column: "id;input".*separated by commas, not by ";"/,
    },
    {
      rule: 'a prototype',
      text: 'id,context.__proto__.x\na,1\n',
      error: 'no such column: "context.__proto__.x"',
    },
    {
      rule: 'a short row',
      text: 'id,input,expected.equals\n"a","b\nc",d\ne,f\n',
      error: 'two.csv:4: has 2 cells, and the header 3',
    },
    {
      rule: 'a long row',
      text: 'id,input,expected.equals\na,b,c,d\n',
      error: 'two.csv:2: has 4 cells, and the header 3',
    },
    {
      rule: 'a quote that is not closed',
      text: 'id,input\na,"b\nb"\n\nc,"d\ne,f\n',
      error: 'two.csv:5: a quoted cell of the row that begins here is not closed',
    },
    {
      rule: 'text after a quote',
      text: 'id,input\na,"b"c\n',
      error: 'two.csv:2: text after the closing quote',
    },
    {
      rule: 'a quote in plain text',
      text: 'id,input\na,b"c\n',
      error: 'two.csv:2: a quote inside of a cell',
    },
    {
      rule: 'turns that are no JSON',
      text: 'id,turns,expected.equals\na,b;c,d\n',
      error: 'two.csv:2: turns: must be JSON: ',
    },
    {
      rule: 'a part that begins like JSON',
      text: 'id,input,expected.contains\na,b,[hi\n',
      error: /two\.csv:2: expected\.contains: must be JSON: .*; text that begins like it/,
    },
    {
      rule: 'a weight in words',
      text: 'id,input,weight,expected.equals\na,b,two,c\n',
      error: 'two.csv:2: [0].weight: ',
    },
    {
      rule: 'an expectation of the wrong kind, at the line of its cell',
      text: 'id,input,expected.contains\na,"b\nb",hi\n',
      error: 'two.csv:3: [0].expected.contains: ',
    },
    {
      rule: 'a case that nothing checks',
      text: 'id,input,expected.contains\na,b,"[""x""]"\n\nc,"d\n",\n',
      error: 'two.csv:4: [1]: no scorer of this suite',
    },
    {
      rule: 'an id twice',
      text: 'id,input,expected.equals\na,b,c\na,b,c\n',
      error: 'two.csv:3: [1].id: a is al',
    },
  ])('refuses $rule', async ({ text, error }) => {
    await expect(read(text)).rejects.toThrow(error)
  })

  it('says everything that is wrong with its form at once', async () => {
    const text = 'id,input,turns\na,b\nc,,[\nd,e,f,g\n'
    await expect(read(text)).rejects.toMatchObject({ problems: [{ line: 2 }, { line: 3 }, { line: 4 }] })
  })
})
