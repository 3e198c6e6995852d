import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadSuite } from '../packages/evals/src/load-suite.ts'
import { SCORER_KINDS } from '../packages/evals/src/scorers/kinds.ts'
import { parseSource } from '../packages/evals/src/source-file.ts'

const text = readFileSync(new URL('../docs/scorers.md', import.meta.url), 'utf8')
const sections = new Map(
  [...text.matchAll(/^### `(\w+)`\n([\s\S]*?)(?=^##|(?![\s\S]))/gm)].map(([, kind = '', section = '']) => [
    kind,
    section,
  ]),
)
const exampleOf = (section: string) => /```yaml\n([\s\S]*?)```/.exec(section)?.[1] ?? ''
/** The module of the example; the package that it names is another test's matter. */
const module = (/```ts\n(\/\/ scorers\.ts[\s\S]*?)```/.exec(text)?.[1] ?? '').replace(
  "export { Levenshtein } from 'autoevals'",
  'export const Levenshtein = () => ({ score: 1 })',
)

describe('docs/scorers.md', () => {
  it('has a section for every kind, and for nothing else', () => {
    expect([...sections.keys()].sort()).toEqual(SCORER_KINDS.map(({ kind }) => kind).sort())
  })

  describe.each(SCORER_KINDS)('$kind', ({ kind, options }) => {
    const section = sections.get(kind) ?? ''

    it('tells all of its options', () => {
      const table = section.split('\n').filter((line) => line.startsWith('| `'))
      const named = table.flatMap((row) =>
        [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
      )
      const known = Object.keys(options.shape).filter((name) => kind === 'module' || name !== 'name')
      expect(named.sort()).toEqual(known.filter((name) => name !== 'name').sort())
      expect(section).toMatch(/\*\*1\swhen\*\*/)
    })

    it('shows an example that loads', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'promptkeep-docs-'))
      onTestFinished(() => rm(folder, { recursive: true, force: true }))
      const { scorers, cases } = parseSource(exampleOf(section), 'example.yaml').value as {
        scorers: unknown[]
        cases: object[]
      }
      const suite = { name: 'example', dataset: 'cases.yaml', target: './target.ts', threshold: 1, scorers }
      await writeFile(join(folder, 'scorers.ts'), module)
      await writeFile(join(folder, 'target.ts'), 'export const target = { run() {} }')
      await writeFile(join(folder, 'suite.yaml'), JSON.stringify(suite))
      await writeFile(join(folder, 'cases.yaml'), JSON.stringify(cases))
      const loaded = await loadSuite({ suite: join(folder, 'suite.yaml') }, { fetch })
      expect(loaded.suite.scorers.map((scorer) => scorer.kind)).toContain(kind)
      const ours = loaded.suite.scorers.filter((scorer) => scorer.kind === kind)
      expect(loaded.dataset.cases.some((one) => ours.some((scorer) => scorer.forCase(one)))).toBe(true)
    })
  })
})
