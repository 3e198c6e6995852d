import { execFile, spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { startRegistry } from './support/registry.ts'

const tools = ['bash', 'curl'].filter((tool) => spawnSync(tool, ['--version']).error)
const skip = tools.length === 0 ? '' : `(skipped: there is no ${tools.join(' and no ')})`

it.skipIf(skip)(`the commands of docs/history.md work as they stand ${skip}`.trim(), async () => {
  const text = await readFile(new URL('../docs/history.md', import.meta.url), 'utf8')
  const { url, stop } = await startRegistry()
  onTestFinished(stop)
  await fill(url)
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '')
  const [address = '', ...commands] = blocks.filter((block) => !block.startsWith('promptkeep'))
  expect(address).toContain('http://127.0.0.1:5055')
  const answers: unknown[] = []
  for (const command of commands) {
    const script = `${address.replace('http://127.0.0.1:5055', url)}${command}`
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script])
    answers.push(JSON.parse(stdout))
  }
  expect(answers).toMatchObject([
    { changes: [{ seq: 19 }, { seq: 18 }, { seq: 17 }, { seq: 2 }] },
    {
      prompts: [
        { name: 'memory', alias: 'experiment' },
        { name: 'planner', alias: 'production' },
      ],
      missing: [{ name: 'ghost', code: 'PROMPT_NOT_FOUND' }],
    },
    304,
    { at: Date.UTC(2026, 10, 22, 14, 3) },
    { changes: [{ from: 3, to: 2, restores: 18 }] },
    { changes: [{ from: 2, to: 1, restores: 17 }] },
  ])
})

/** What the examples speak of: change 17 points production of memory at version 1. */
async function fill(url: string) {
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${url}/api/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(await answer.text())
  }
  const own = (path: string, body: object) => post(`promptkeep/1.0/${path}`, body)
  const point = (alias: string, version: number) => own('alias', { name: 'memory', alias, version })
  await own('seed', { name: 'planner', alias: 'production', template: 'plan' }) // 1, 2
  await own('seed', { name: 'memory', alias: 'experiment', template: 'one' }) // 3, 4
  for (const text of ['two', 'three']) {
    const tags = [
      { key: 'mlflow.prompt.is_prompt', value: 'true' },
      { key: 'mlflow.prompt.text', value: text },
    ]
    await post('2.0/mlflow/model-versions/create', { name: 'memory', source: 'dummy-source', tags }) // 5, 6
  }
  for (let seq = 7; seq <= 16; seq++) await point('experiment', 3)
  for (const version of [1, 2, 3]) await point('production', version)
}
