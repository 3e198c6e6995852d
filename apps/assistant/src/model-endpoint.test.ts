import OpenAI from 'openai'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ModelEndpointOptions, startModelEndpoint } from './model-endpoint.ts'
import { createScript } from './scripted-model.ts'

async function start(options: ModelEndpointOptions) {
  const endpoint = await startModelEndpoint({ record: true, ...options })
  onTestFinished(() => endpoint.close())
  const client = new OpenAI({ baseURL: endpoint.url, apiKey: 'none', maxRetries: 0 })
  return { endpoint, client }
}

const QUESTION = { model: 'm', messages: [{ role: 'user' as const, content: 'Hi' }] }

describe('model endpoint', () => {
  it('answers whole', async () => {
    const { client } = await start({ respond: () => ({ content: 'Good day.' }) })
    const answer = await client.chat.completions.create(QUESTION)
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'Good day.' } })
    expect(answer.usage?.total_tokens).toBeGreaterThan(0)
  })

  it('streams the same text, and usage last', async () => {
    const { client } = await start({ respond: () => ({ content: 'Good day,\n\n  friend. ' }) })
    const stream = await client.chat.completions.create({ ...QUESTION, stream: true })
    const chunks: OpenAI.ChatCompletionChunk[] = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(
      'Good day,\n\n  friend. ',
    )
    expect(chunks.length).toBeGreaterThan(4)
    expect(chunks.at(-1)?.usage?.total_tokens).toBeGreaterThan(0)
  })

  it.each([{ stream: false }, { stream: true }])(
    'calls tools, with ids that no earlier call has: %o',
    async ({ stream }) => {
      const { client } = await start({
        respond: () => ({
          toolCalls: [
            { name: 'look', arguments: { at: 'it' } },
            { name: 'wait', arguments: {} },
          ],
        }),
      })
      const earlier = { id: 'call_1', type: 'function' as const, function: { name: 'look', arguments: '{}' } }
      const messages = [
        ...QUESTION.messages,
        { role: 'assistant' as const, tool_calls: [earlier] },
        { role: 'tool' as const, tool_call_id: 'call_1', content: 'seen' },
      ]
      const answer = stream
        ? await client.chat.completions.stream({ ...QUESTION, messages }).finalChatCompletion()
        : await client.chat.completions.create({ ...QUESTION, messages })
      expect(answer.choices[0]?.message.tool_calls).toMatchObject([
        { id: 'call_2', function: { name: 'look', arguments: '{"at":"it"}' } },
        { id: 'call_3', function: { name: 'wait', arguments: '{}' } },
      ])
    },
  )

  it('records what it received, byte by byte', async () => {
    const { endpoint } = await start({ respond: () => ({ content: 'ok' }) })
    const text = '{ "model":"m",  "messages":[{"role":"user","content":"Ä 😀"}] }'
    await fetch(`${endpoint.url}/chat/completions`, { method: 'POST', body: text, headers: { 'x-a': 'b' } })
    expect(endpoint.requests).toHaveLength(1)
    expect(endpoint.requests[0]).toMatchObject({
      path: '/v1/chat/completions',
      text,
      headers: { 'x-a': 'b' },
    })
  })

  it.each([
    { rule: 'another route is 404', path: '/models', body: '{}', status: 404 },
    { rule: 'broken JSON is 400', path: '/chat/completions', body: '{', status: 400 },
    { rule: 'null is 400', path: '/chat/completions', body: 'null', status: 400 },
    { rule: 'no messages is 400', path: '/chat/completions', body: '{"model":"m"}', status: 400 },
    { rule: 'more than 4 MB is 413', path: '/chat/completions', body: 'x'.repeat(4_200_000), status: 413 },
  ])('$rule', async ({ path, body, status }) => {
    const { endpoint } = await start({ respond: () => ({ content: 'ok' }) })
    const response = await fetch(endpoint.url + path, { method: 'POST', body })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ error: { message: expect.stringMatching(/\S/) } })
    expect(endpoint.requests).toEqual([])
  })

  it('fails as told: a status, or no answer at all until it closes', async () => {
    const script = createScript([{ status: 429, message: 'slow down' }, { hang: true }])
    const { client, endpoint } = await start({ respond: script.respond })
    await expect(client.chat.completions.create(QUESTION)).rejects.toMatchObject({ status: 429 })
    const hanging = client.chat.completions.create(QUESTION)
    const failed = expect(hanging).rejects.toThrow('Connection error')
    while (script.remaining() > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await endpoint.close()
    await failed
  })
})

describe('script', () => {
  it('names the request that came once too often, and counts the steps nobody took', async () => {
    const script = createScript([{ content: 'one' }, ({ body }) => ({ content: body.model })])
    const { client } = await start({ respond: script.respond })
    await client.chat.completions.create(QUESTION)
    expect(script.remaining()).toBe(1)
    expect((await client.chat.completions.create(QUESTION)).choices[0]?.message.content).toBe('m')
    await expect(client.chat.completions.create(QUESTION)).rejects.toThrow(
      'The script has 2 steps; request 3 ends with {"role":"user","content":"Hi"}',
    )
  })
})
