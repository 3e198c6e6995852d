import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WIRE } from '@promptkeep/client/protocol'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const docs = readFileSync(join(root, 'docs/client.md'), 'utf8')
const source = readdirSync(join(root, 'packages/client/src'))
  .filter((file) => file.endsWith('.ts') && !/test|memory|conformance|recorder/.test(file))
  .map((file) => readFileSync(join(root, 'packages/client/src', file), 'utf8'))
  .join('\n')

it.each(Object.keys(WIRE))('docs/client.md explains the code %s', (code) => {
  expect(docs).toContain(`\`${code}\``)
})

it('docs/client.md lists every log event, and no other', () => {
  const logged = [...source.matchAll(/logger(?:\.\w+|\[[^\]]+\])\([^;]*?'(\w+\.\w+)',?\s*\)/g)].map(
    (match) => match[1],
  )
  const listed = [...docs.matchAll(/^\| `(\w+\.\w+)` \|/gm)].map((match) => match[1])
  expect(logged.length).toBeGreaterThan(4)
  expect([...new Set(logged)].sort()).toEqual(listed.sort())
})

it('docs/client.md lists every option of a registry', () => {
  const options = /export interface RegistryOptions\b[^{]*\{([\s\S]*?)\n\}/.exec(source)?.[1] ?? ''
  const names = [...options.matchAll(/readonly (\w+)\?/g)].map((match) => match[1])
  expect(names.length).toBeGreaterThan(9)
  const internal = ['now', 'env']
  for (const name of names.filter((name) => !internal.includes(name ?? '')))
    expect(docs).toContain(`| \`${name}\` |`)
})

it.each(
  [...source.matchAll(/\bMLFLOW_[A-Z_]+\b/g)]
    .map(([name]) => name)
    .filter((name, i, all) => all.indexOf(name) === i),
)('docs/client.md names the variable %s', (variable) => expect(docs).toContain(`\`${variable}\``))

const page = (file: string) => readFileSync(join(root, 'docs', file), 'utf8')
/** Pages whose code other tests run (`scorers-docs.test.ts`, `examples.test.ts`); the rest of theirs is the shape of a call. */
const ELSEWHERE = ['evals.md', 'scorers.md', 'suites.md']
const withCode = readdirSync(join(root, 'docs')).filter(
  (file) => file.endsWith('.md') && !ELSEWHERE.includes(file) && page(file).includes('```ts\n'),
)

it.each(withCode)('docs/%s shows only code that is run: files of examples/', (file) => {
  const examples = readdirSync(join(root, 'examples'))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(root, 'examples', file), 'utf8'))
  const shown = Array.from(page(file).matchAll(/```ts\n([\s\S]*?)```/g), ([, code]) => code)
  for (const code of shown) expect(examples).toContain(code)
})
