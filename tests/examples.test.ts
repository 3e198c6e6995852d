import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { startModelRecorder } from './support/model-recorder.ts'
import { startRegistry } from './support/registry.ts'

const root = join(import.meta.dirname, '..')
const examples = readdirSync(join(root, 'examples')).filter((file) => file.endsWith('.ts'))

/** What an example says it prints: the comments behind its `console.log`s, as far as they are plain values. */
const promised = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.trimStart().startsWith('console.log('))
    .map((line) => line.slice(line.lastIndexOf('// ') + 3))

it.each(examples)('examples/%s prints what its comments say', async (file) => {
  const server = await startRegistry()
  onTestFinished(() => server.stop())
  const model = await startModelRecorder('A summary.')
  onTestFinished(() => model.close())
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', join('examples', file)],
    {
      cwd: root,
      env: {
        PATH: process.env.PATH,
        MLFLOW_TRACKING_URI: server.url,
        OPENAI_BASE_URL: `${model.url}/v1`,
        OPENAI_API_KEY: 'none',
      },
    },
  )
  const printed = stdout.trimEnd().split('\n')
  const wanted = promised(readFileSync(join(root, 'examples', file), 'utf8'))
  expect(wanted.length).toBeGreaterThan(1)
  expect(printed).toHaveLength(wanted.length)
  for (const [i, line] of printed.entries()) expect(wanted[i]?.replace(/^'|'.*$/g, '')).toBe(line)
})

it('the types of the typed example are those of its prompt files', async () => {
  const from = ['--from', 'examples/typed/prompts', '--out', 'examples/typed/prompts.gen.ts']
  const args = ['packages/cli/bin/promptkeep.js', 'generate', ...from, '--check']
  await expect(promisify(execFile)(process.execPath, args, { cwd: root })).resolves.toBeDefined()
})

it.each(examples)('examples/%s is short', (file) => {
  expect(readFileSync(join(root, 'examples', file), 'utf8').split('\n').length).toBeLessThan(40)
})

it('the README shows the quick start that is run here', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const [, shown] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  expect(shown).toBe(readFileSync(join(root, 'examples/load.ts'), 'utf8'))
})

it('docs/suites.md shows the suite in TypeScript that is run here', () => {
  const docs = readFileSync(join(root, 'docs/suites.md'), 'utf8')
  const shown = /## A suite in TypeScript[\s\S]*?```ts\n([\s\S]*?)```/.exec(docs)?.[1]
  expect(shown).toBe(readFileSync(join(root, 'examples/evals/welcome.eval.ts'), 'utf8'))
})
