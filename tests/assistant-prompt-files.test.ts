import { spawn } from 'node:child_process'
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'

const root = join(import.meta.dirname, '..')

/** The assistant's command from a copy of its sources and prompts, so that a test may break those. */
async function copyOfAssistant() {
  const home = await mkdtemp(join(tmpdir(), 'promptkeep-prompt-files-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  for (const part of ['src', 'prompts', 'page', 'package.json'])
    await cp(join(root, 'apps/assistant', part), join(home, 'assistant', part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(home, 'node_modules'))
  const prompts = join(home, 'assistant/prompts')

  async function run() {
    const child = spawn(process.execPath, ['--import', 'tsx', join(home, 'assistant/src/main.ts')], {
      cwd: root,
      env: {
        PATH: process.env.PATH ?? '',
        TSX_TSCONFIG_PATH: join(import.meta.dirname, 'support/tsconfig.sources.json'),
        ASSISTANT_PORT: '0',
        ASSISTANT_DATABASE: 'sqlite::memory:',
        MLFLOW_TRACKING_URI: 'http://127.0.0.1:1',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('listening on')) child.kill('SIGTERM') // it should not have started; never hang
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    return { code, said }
  }
  return { prompts, run }
}

describe('the assistant with prompt files that cannot be used', () => {
  it('says in one line which file and line is broken, and ends with 2', async () => {
    const { prompts, run } = await copyOfAssistant()
    await writeFile(join(prompts, 'memory.md'), '---\ndescription: d\ntemprature: 1\n---\ntext\n')
    const { code, said } = await run()
    expect(said).toMatch(
      /^The assistant cannot start: \S*\/prompts\/memory\.md:3: unknown key "temprature".*\n$/,
    )
    expect(code).toBe(2)
  })

  it('names a file that is missing and one that is not its own', async () => {
    const { prompts, run } = await copyOfAssistant()
    await rm(join(prompts, 'weather.md'))
    await writeFile(join(prompts, 'greeting.md'), 'Hello')
    const { code, said } = await run()
    expect(said).toMatch(
      /^The assistant cannot start: .*weather\.md is missing; greeting\.md belongs to no agent\..*\n$/,
    )
    expect(code).toBe(2)
  })

  it('starts from the same copy with its files whole', async () => {
    const { run } = await copyOfAssistant()
    const { code, said } = await run()
    expect(said).toContain('The assistant is listening on')
    expect(code).toBe(0)
  })
}, 60_000)
