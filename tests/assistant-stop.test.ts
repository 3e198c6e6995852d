import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startModelEndpoint } from '../apps/assistant/src/model-endpoint.ts'
import { startRegistry } from './support/registry.ts'

it.each(['SIGINT', 'SIGTERM'] as const)(
  '%s in the middle of an answer, with the registry followed, ends the stream, then the process',
  async (signal) => {
    const registry = await startRegistry()
    onTestFinished(() => registry.stop())
    const model = await startModelEndpoint({ respond: () => ({ hang: true }) })
    onTestFinished(() => model.close())
    const child = spawn(process.execPath, [join(import.meta.dirname, '../apps/assistant/dist/main.js')], {
      env: {
        PATH: process.env.PATH,
        ASSISTANT_PORT: '0',
        ASSISTANT_DATABASE: 'sqlite::memory:',
        MLFLOW_TRACKING_URI: registry.url,
        OPENAI_API_KEY: 'test',
        OPENAI_BASE_URL: model.url,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
    onTestFinished(() => void child.kill('SIGKILL'))
    let log = ''
    let words = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words += text
    })
    await expect.poll(() => words, { timeout: 15_000 }).toContain('listening on')
    const url = /listening on (\S+)/.exec(words)?.[1]
    const stream = await fetch(`${url}/chat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message: 'Good evening' }),
    })
    const body = stream.text()
    await expect.poll(() => log, { timeout: 15_000 }).toMatch(/"state":"live".*"live\.changed"/)
    child.kill(signal)
    expect(await body).toMatch(/^event: error$/m)
    expect(await exited).toBe(0)
    expect(log).toContain('"assistant.stopped"')
  },
)
