import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { tsc, writeApp } from './support/tsc.ts'

async function app(files: Readonly<Record<string, string>>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-types-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  await writeApp(dir, files)
  return dir
}

const EXPECTED = /^\s*\/\/ @ts-expect-error .*$/

it('the types allow what they should', { timeout: 60_000 }, async () => {
  const text = await readFile(new URL('./types/typed-registry.ts', import.meta.url), 'utf8')
  expect((await tsc(await app({ 'src/uses.ts': text }))).said).toBe('')
})

it('and refuse each wrong use, where it is', { timeout: 60_000 }, async () => {
  const text = await readFile(new URL('./types/typed-registry.ts', import.meta.url), 'utf8')
  const lines = text.split('\n')
  const bare = lines.map((line) => (EXPECTED.test(line) ? '' : line)).join('\n')
  const wrong = lines.flatMap((line, i) => (EXPECTED.test(line) ? [i + 2] : []))
  expect(wrong.length).toBeGreaterThan(30)
  const { errors } = await tsc(await app({ 'src/uses.ts': bare }))
  expect(errors.map(({ line }) => line)).toEqual(wrong)
  const of = (part: string) => errors.find(({ line }) => lines[line - 1]?.includes(part))?.message
  expect(of("load('memroy')")).toMatch(
    /^Argument of type '"memroy"' is not assignable to parameter of type '"chat\.reply" \| /,
  )
  // What docs/typed-prompts.md says of the compiler's errors.
  expect(of("load('memory@prodcution')")).toMatch(/ parameter of type '"chat\.reply" \| /)
  for (const use of ["loadSet(['memory', 'chat.reply2']", "prompts: ['memroy']"])
    expect(of(use)).toMatch(/ Did you mean '"(memory|chat\.reply)"'\?$/)
  for (const use of ["load('memory', { alias: 'prodcution'", "run(() => 1, { alias: 'prodcution'"])
    expect(of(use)).toMatch(/ Did you mean '"production"'\?$/)
  for (const use of ["createRegistry<Prompts>({ alias: 'prodcution'", 'createTestRegistry<Prompts>({ alias'])
    expect(of(use)).toMatch(/ Did you mean '"production"'\?$/)
  for (const use of ['createRegistry<Prompts>({ defaults: { memroy', 'seed({ memroy', 'prompts: { memroy'])
    expect(of(use)).toMatch(/ Did you mean to write 'memory'\?$/)
  expect(of("load('memory@candidate', {")).toMatch(/ is not assignable to type 'undefined'\.$/)
  expect(of('wath')).toMatch(/'wath' does not exist in type/)
  expect(of('format({})')).toMatch(/^Property 'question' is missing in type '{}'/)
})

it('cost a compiler little, also where there are 500 prompts', { timeout: 60_000 }, async () => {
  const names = Array.from({ length: 500 }, (_, i) => `prompt-${i}`)
  const shape = (i: number) =>
    `{ kind: 'text'; aliases: 'production' | 'next'; variables: { v${i}: TextValue }; response: unknown }`
  const dir = await app({
    'src/prompts.ts': `import type { TextValue } from '@promptkeep/client'
export type Prompts = {\n${names.map((name, i) => `  '${name}': ${shape(i)}`).join('\n')}\n}\n`,
    'src/uses.ts': `import { createRegistry } from '@promptkeep/client'
import type { Prompts } from './prompts.ts'
const registry = createRegistry<Prompts>()
${names.map((name, i) => `;(await registry.load('${name}@next')).format({ v${i}: ${i} })`).join('\n')}\n`,
  })
  const { errors, said } = await tsc(dir, '--extendedDiagnostics')
  expect(errors).toEqual([])
  // Counted by the compiler, so the same on every machine: a quarter of it is what these types need today.
  expect(Number(/^Instantiations:\s+(\d+)$/m.exec(said)?.[1])).toBeLessThan(2_000_000)
})
