import net from 'node:net'
import { getGlobalTraceProvider, Runner, setTracingDisabled } from '@openai/agents'
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { createScript } from '../scripted-model.ts'
import { fixedTool, startTestRun, type TestRun } from '../testing.ts'
import { createOrchestrator } from './orchestrator.ts'

/**
 * The agents SDK posts prompts, user text and the API key to OpenAI's trace service, whatever the base URL, unless it
 * is told not to. Here every connection of this process is watched, below `fetch` and every HTTP library; those that
 * would leave this machine are refused.
 */
const connect = net.Socket.prototype.connect
let addresses: string[] = []

beforeEach(() => {
  // In NODE_ENV=test the SDK traces nothing by itself, and without a key it sends nothing: both would prove nothing.
  vi.stubEnv('NODE_ENV', 'production')
  vi.stubEnv('OPENAI_API_KEY', 'sk-not-a-key')
  setTracingDisabled(false)
  addresses = []
  net.Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]) {
    const given = (Array.isArray(args[0]) ? args[0][0] : args[0]) as { host?: string; port?: number }
    addresses.push(`${given.host}:${given.port}`)
    if (given.host === '127.0.0.1') return Reflect.apply(connect, this, args)
    queueMicrotask(() => this.destroy(new Error(`refused in this test: ${given.host}`)))
    return this
  } as typeof connect
})
afterEach(() => {
  net.Socket.prototype.connect = connect
  vi.unstubAllEnvs()
})

const TOOLS = { weather: [fixedTool('get_weather', 'Oslo: 3°C.')] }

async function chat(run: TestRun, runner: TestRun['deps']['models']['runner']) {
  const agent = await createOrchestrator({ ...run.deps, persona: 'returning', tools: TOOLS })
  const result = await runner.run(agent, 'Hello', { context: run.context })
  await getGlobalTraceProvider().forceFlush()
  return result.finalOutput
}

const startRun = () =>
  startTestRun({
    respond: createScript([
      { toolCalls: [{ name: 'ask_weather_agent', arguments: { input: 'Oslo?' } }] },
      { content: 'Three degrees.' },
      { content: 'Good day.' },
    ]).respond,
  })

it('a chat with a specialist connects to the model endpoint and to nothing else', async () => {
  await using run = await startRun()
  expect(await chat(run, run.deps.models.runner)).toBe('Good day.')
  expect([...new Set(addresses)]).toEqual([new URL(run.endpoint.url).host])
  expect(run.endpoint.requests).toHaveLength(3)
})

it('and this is seen: with the SDK as it comes the traces would go out', async () => {
  await using run = await startRun()
  const complaints = vi.spyOn(console, 'error').mockImplementation(() => {}) // the SDK's, about the refusal
  onTestFinished(() => complaints.mockRestore())
  await chat(run, new Runner())
  expect(addresses).toContain('api.openai.com:443')
})
