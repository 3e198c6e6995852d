import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fingerprintOf } from '@promptkeep/client/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createHttpTarget } from './http-target.ts'

interface Asked {
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
}

/** A chat endpoint on a free port that answers each request by `reply`. */
async function startChat(reply: (response: ServerResponse, asked: Asked) => void) {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const seen = { headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) }
    asked.push(seen)
    reply(response, seen)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/chat`, asked }
}

const event = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
const done = (more: object = {}) => ({
  conversation_id: 'c1',
  prompts: { memory: { version: 1, alias: 'production', digest: 'd1', source: 'registry', ageMs: 0 } },
  toolCalls: [{ agent: 'Assistant', name: 'ask_memory_agent', arguments: { input: 'x' }, result: 'y' }],
  fingerprint: 'f',
  usage: { inputTokens: 10, outputTokens: 5, requests: 2 },
  ...more,
})
const stream = (response: ServerResponse, ...parts: string[]) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const part of parts) response.write(part)
  response.end()
}
const options = {
  promptAlias: ['experiment', 'production'],
  model: 'm',
  tenant: 'eval-1-a',
  signal: new AbortController().signal,
}
const ask = (url: string, more: object = { input: 'hi' }) =>
  createHttpTarget(url, { fetch }).run({ id: 'a', ...more }, options)

describe('a target over HTTP', () => {
  it('asks as the tenant, for the model, through the alias chain', async () => {
    const chat = await startChat((response) => stream(response, event('done', done())))
    await ask(chat.url)
    expect(chat.asked).toMatchObject([
      {
        headers: { 'x-user-id': 'eval-1-a', 'x-promptkeep-alias': 'experiment,production' },
        body: { message: 'hi', model: 'm' },
      },
    ])
  })

  it('joins the answer, however the stream is cut, and passes over other events', async () => {
    const text = `: heartbeat\n\n${event('delta', { content: 'Grüß ' })}${event('tool', {})}${event('delta', { content: 'Gott' })}`
    const bytes = Buffer.from(`${text}${event('done', done())}`)
    const chat = await startChat((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const cut = bytes.indexOf(Buffer.from('ü')) + 1
      response.write(bytes.subarray(0, cut))
      setImmediate(() => response.end(bytes.subarray(cut)))
    })
    expect(await ask(chat.url)).toEqual({
      output: 'Grüß Gott',
      messages: [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: 'Grüß Gott' },
      ],
      toolCalls: done().toolCalls,
      prompts: done().prompts,
      fingerprint: await fingerprintOf([{ name: 'memory', version: 1, digest: 'd1' }]),
      usage: { inputTokens: 10, outputTokens: 5, requests: 2 },
    })
  })

  it('keeps one conversation for all turns, and adds up what they did', async () => {
    const chat = await startChat((response, { body }) =>
      stream(response, event('delta', { content: `you said ${body.message}` }), event('done', done())),
    )
    const { output, messages, toolCalls, usage } = await ask(chat.url, { turns: ['one', 'two'] })
    expect(chat.asked.map(({ body }) => body.conversation_id)).toEqual([undefined, 'c1'])
    expect(output).toBe('you said two')
    expect(messages.map(({ content }) => content)).toEqual(['one', 'you said one', 'two', 'you said two'])
    expect(toolCalls).toHaveLength(2)
    expect(usage).toEqual({ inputTokens: 20, outputTokens: 10, requests: 4 })
  })

  it('has the fingerprint of the prompts of all turns, not of the last', async () => {
    const lineage = { version: 1, alias: 'production', digest: 'd', source: 'registry', ageMs: 0 }
    const chat = await startChat((response, { body }) => {
      const prompts = body.message === 'one' ? { base: lineage, memory: lineage } : { base: lineage }
      stream(response, event('done', done({ prompts, fingerprint: `of ${body.message}` })))
    })
    const { prompts, fingerprint } = await ask(chat.url, { turns: ['one', 'two'] })
    expect(Object.keys(prompts)).toEqual(['base', 'memory'])
    const triples = ['memory', 'base'].map((name) => ({ name, version: 1, digest: 'd' }))
    expect(fingerprint).toBe(await fingerprintOf(triples))
  })

  it('refuses a case with a context or a seed by its name, and asks nothing', async () => {
    const chat = await startChat((response) => stream(response, event('done', done())))
    const { error, output } = await ask(chat.url, { input: 'hi', context: { onboarded: true } })
    expect({ error, output }).toEqual({
      error: {
        kind: 'configuration',
        message: expect.stringMatching(/^case a has a context \(onboarded\), .* over HTTP cannot/),
      },
      output: '',
    })
    const both = { input: 'hi', context: { onboarded: true }, seed: { memories: ['tea'], now: 'x' } }
    expect((await ask(chat.url, both)).error?.message).toMatch(
      /^case a has a context \(onboarded\) and a seed \(memories, now\), which a target over HTTP cannot prepare/,
    )
    expect(chat.asked).toEqual([])
    expect((await ask(chat.url, { input: 'hi', context: {}, seed: {} })).error).toBeUndefined()
  })

  it('has no lineage when a prompt changed between two turns', async () => {
    const chat = await startChat((response, { body }) => {
      const version = body.message === 'one' ? 1 : 2
      const prompts = { memory: { ...done().prompts.memory, version } }
      stream(response, event('done', done({ prompts })))
    })
    const { error } = await ask(chat.url, { turns: ['one', 'two'] })
    expect(error).toEqual({
      kind: 'infrastructure',
      message: 'memory changed from v1 to v2 between two turns',
    })
  })

  it.each([
    { status: 403, kind: 'configuration', text: 'ALLOW_PROMPT_OVERRIDE=true' },
    { status: 400, kind: 'configuration', text: 'answered 400: because' },
    { status: 404, kind: 'configuration', text: 'answered 404' },
    { status: 429, kind: 'infrastructure', text: 'answered 429' },
    { status: 503, kind: 'infrastructure', text: 'answered 503' },
  ])('takes $status as an error of $kind', async ({ status, kind, text }) => {
    const chat = await startChat((response) => response.writeHead(status).end('because'))
    expect((await ask(chat.url)).error).toEqual({ kind, message: expect.stringContaining(text) })
  })

  it.each([
    {
      rule: 'an error event as an error of the target',
      parts: [
        event('delta', { content: 'I am' }),
        event('error', { error: 'took too long', error_type: 'timeout' }),
      ],
      error: { kind: 'target', message: 'took too long' },
    },
    {
      rule: 'an error event of what it depends on as an outage',
      parts: [event('error', { error: 'no model', error_type: 'model_unavailable' })],
      error: { kind: 'infrastructure', message: 'no model' },
    },
    {
      rule: 'a stream that ends early as an outage',
      parts: [event('delta', { content: 'I am' })],
      error: { kind: 'infrastructure', message: 'the stream ended with no done event' },
    },
    {
      rule: 'a last event without lineage as an outage',
      parts: [event('done', { usage: {} })],
      error: { kind: 'infrastructure', message: expect.stringContaining('cannot be read') },
    },
  ])('takes $rule', async ({ parts, error }) => {
    const chat = await startChat((response) => stream(response, ...parts))
    expect((await ask(chat.url)).error).toEqual(error)
  })

  it('keeps what a failed turn used and called', async () => {
    const failed = event('error', { ...done(), error: 'took too long', error_type: 'timeout' })
    const chat = await startChat((response) => stream(response, event('delta', { content: 'I am' }), failed))
    expect(await ask(chat.url)).toMatchObject({
      output: 'I am',
      toolCalls: done().toolCalls,
      prompts: done().prompts,
      error: { kind: 'target', message: 'took too long' },
    })
  })

  it('takes a refused connection as an outage, and says so', async () => {
    const { error } = await ask('http://127.0.0.1:1/chat')
    expect(error).toMatchObject({
      kind: 'infrastructure',
      message: expect.stringMatching(/:1\/chat: fetch failed: ./),
    })
  })
})
