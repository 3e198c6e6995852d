import { randomUUID } from 'node:crypto'
import { createRegistry } from '@promptkeep/client'
import { createMemoryTransport } from '@promptkeep/client/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createChatService } from './chat-service.ts'
import type { ChatEvent, ChatOutcome, TurnRequest } from './chat-types.ts'
import { createConversationStore } from './db/conversations.ts'
import { createMemoryStore } from './db/memories.ts'
import { openAssistantDatabase } from './db/open.ts'
import { createUserStore } from './db/users.ts'
import { type RecordedRequest, type Respond, startModelEndpoint } from './model-endpoint.ts'
import { createModels } from './models.ts'
import { PROMPT_DEFAULTS } from './prompt-defaults.ts'
import { createPromptService, registryLog } from './prompt-service.ts'
import { createScript, type Step } from './scripted-model.ts'
import { createTestLog } from './testing.ts'
import { createMemoryTools } from './tools/memory.ts'
import { createRateLimit } from './tools/rate-limit.ts'

interface Setup {
  readonly respond?: Respond
  readonly timeoutMs?: number
  readonly historyTokenBudget?: number
}

/** Real parts: a registry in memory, SQLite in memory, and a model on loopback that answers by a script. */
async function setup(given: Setup = {}) {
  const { lines, log } = createTestLog()
  const endpoint = await startModelEndpoint({ respond: given.respond ?? echo, record: true })
  const database = await openAssistantDatabase('sqlite::memory:')
  const { db } = database
  const transport = createMemoryTransport()
  const registry = createRegistry({ transport, defaults: PROMPT_DEFAULTS, logger: registryLog(log), env: {} })
  const prompts = createPromptService({ registry, log, defaults: PROMPT_DEFAULTS })
  await prompts.seedPrompts()
  const clock = { now: Date.now, newId: randomUUID }
  const conversations = createConversationStore({ db, ...clock })
  const users = createUserStore({ db, ...clock })
  const memory = createMemoryTools({
    memories: createMemoryStore({ db, ...clock }),
    limits: { perConversation: 10, perHour: 25 },
    reads: createRateLimit({ perWindow: 10, windowMs: 60_000, now: Date.now }),
    log,
  })
  const models = createModels({
    ...{
      baseUrl: endpoint.url,
      apiKey: 'none',
      environment: { model_name: 'small' },
      allowedModels: ['big'],
      log,
    },
  })
  const chat = createChatService({
    ...{ prompts, models, conversations, users, log, isDemo: false, tools: { memory } },
    timeoutMs: given.timeoutMs ?? 10_000,
    historyTokenBudget: given.historyTokenBudget ?? 4000,
  })
  onTestFinished(async () => {
    await chat.close()
    await registry.close()
    await endpoint.close()
    await database.close()
  })

  const request = (message: string, more: Partial<TurnRequest> = {}): TurnRequest => ({
    ...{ userId: 'ada', message, correlationId: 'test', signal: new AbortController().signal },
    ...more,
  })
  async function say(message: string, more: Partial<TurnRequest> = {}) {
    const turn = await chat.start(request(message, more))
    const events: ChatEvent[] = []
    for await (const event of turn.events) events.push(event)
    const end = events.at(-1)
    if (end?.type !== 'end') throw new Error('the turn did not end')
    return { ...turn, events, outcome: end.outcome, greetingId: end.greetingId, isStored: end.isStored }
  }
  const sent = () => endpoint.requests.map(({ body }) => body)
  return { chat, say, request, sent, prompts, lines, endpoint, transport, conversations, users, db }
}

const lastUser = ({ body }: RecordedRequest) =>
  String(body.messages.findLast(({ role }) => role === 'user')?.content)
const echo: Respond = (request) => ({ content: `You said: ${lastUser(request)}` })
const script = (...steps: Step[]) => ({ respond: createScript(steps).respond })
const call = (name: string, args: object): Step => ({ toolCalls: [{ name, arguments: args }] })
const roles = (messages: readonly { role: string }[]) => messages.map(({ role }) => role)
const contents = (messages: readonly { content?: unknown }[]) =>
  messages.map(({ content }) =>
    Array.isArray(content) ? content.map((part) => part.text).join('') : content,
  )

/** As pino writes an error: its message, its stack and its own fields. */
const asWritten = (fields: Readonly<Record<string, unknown>>) =>
  fields.err instanceof Error
    ? { ...fields, err: { ...fields.err, text: `${fields.err.message} ${fields.err.stack}` } }
    : fields

describe('a turn', () => {
  it('streams its text and ends with the outcome', async () => {
    const { say } = await setup()
    const { events, outcome, isStored } = await say('hello there')
    expect(events[0]).toEqual({ type: 'start' })
    const deltas = events.flatMap((event) => (event.type === 'delta' ? [event.content] : []))
    expect(deltas.length).toBeGreaterThan(1)
    expect(deltas.join('')).toBe('You said: hello there')
    expect(outcome).toMatchObject({ status: 'complete', output: 'You said: hello there', model: 'small' })
    expect(outcome.usage.requests).toBe(1)
    expect(isStored).toBe(true)
  })

  it('tells of nested tool calls as they happen, and lists them with their results', async () => {
    const { say } = await setup(
      script(
        call('ask_memory_agent', { input: 'remember tea' }),
        call('save_memory_tool', { content: 'User drinks tea', memory_type: 'fact' }),
        { content: 'saved' },
        { content: 'I will remember.' },
      ),
    )
    const { events, outcome } = await say('remember that I drink tea')
    const told = events.flatMap((event) =>
      event.type === 'tool' ? [`${event.status.type} ${event.status.tool}`] : [],
    )
    expect(told).toEqual([
      'started ask_memory_agent',
      'started save_memory_tool',
      'finished save_memory_tool',
      'finished ask_memory_agent',
    ])
    expect(outcome.toolCalls).toMatchObject([
      { agent: 'Assistant', name: 'ask_memory_agent', result: 'saved' },
      { agent: 'MemoryAgent', name: 'save_memory_tool', result: { success: true, action: 'stored' } },
    ])
    expect(Object.keys(outcome.prompts)).toEqual([
      'orchestrator-base',
      'onboarding',
      'memory',
      'memory-write',
    ])
  })

  it('sends the model and max_tokens that were asked for, to every agent', async () => {
    const { say, sent } = await setup(
      script(call('ask_memory_agent', { input: 'x' }), { content: 'nothing' }, { content: 'done' }),
    )
    const { outcome } = await say('what do you know?', { model: 'big', maxTokens: 77 })
    expect(sent().map(({ model, max_tokens }) => [model, max_tokens])).toEqual([
      ['big', 77],
      ['big', 77],
      ['big', 77],
    ])
    expect(outcome.model).toBe('big')
  })

  it('asks for the set anew when an alias chain is given, and says which alias answered', async () => {
    const { say, transport } = await setup()
    await say('warm the cache')
    const { version } = await transport.register({ name: 'orchestrator-base', template: 'Be brief.' })
    await transport.moveAlias({ name: 'orchestrator-base', alias: 'experiment', to: version })
    const { outcome } = await say('hello', { promptAlias: ['experiment', 'production'] })
    expect(outcome.prompts['orchestrator-base']).toMatchObject({
      version: 2,
      alias: 'experiment',
      source: 'registry',
    })
    expect(outcome.prompts.onboarding).toMatchObject({ version: 1, alias: 'production', source: 'registry' })
    expect((await say('hello')).outcome.prompts['orchestrator-base']).toMatchObject({ version: 1 })
  })
})

describe('a version that no agent can use', () => {
  it.each([
    { what: 'with a variable', template: 'Hello {{ name }}.', says: 'name' },
    { what: 'with logic that nobody renders', template: 'Be {% set x = 1 %}brief.', says: 'version 2' },
    { what: 'of type chat', template: [{ role: 'system', content: 'Be brief.' }], says: 'chat prompt' },
  ])('$what: the bundled text answers, one warning says why, and readiness tells it', async (given) => {
    const { say, transport, lines, prompts } = await setup()
    const { version } = await transport.register({ name: 'orchestrator-base', template: given.template })
    await transport.moveAlias({ name: 'orchestrator-base', alias: 'production', to: version })
    for (let i = 0; i < 2; i++) {
      const { outcome } = await say('hello')
      expect(outcome.status).toBe('complete')
      expect(outcome.prompts['orchestrator-base']).toMatchObject({ version: 0, source: 'default' })
      expect(outcome.prompts.onboarding).toMatchObject({ version: 1, alias: 'production' })
    }
    const warnings = lines.filter(({ event }) => event === 'prompt.unusable')
    expect(warnings).toMatchObject([
      { level: 'warn', prompt: 'orchestrator-base', version: 2, alias: 'production' },
    ])
    expect(warnings[0]?.reason).toContain(given.says)
    expect(prompts.status().lastFallback).toMatchObject({
      prompt: 'orchestrator-base',
      code: 'INVALID_INPUT',
    })
  })

  it('asked for by one request is that request’s own affair', async () => {
    const { say, transport, prompts } = await setup()
    const { version } = await transport.register({ name: 'memory', template: 'Hello {{ name }}.' })
    await transport.moveAlias({ name: 'memory', alias: 'experiment', to: version })
    expect((await say('hello', { promptAlias: ['experiment', 'production'] })).outcome.status).toBe(
      'complete',
    )
    expect((await say('hello', { promptAlias: ['nope'] })).outcome.status).toBe('complete')
    await say('hello')
    expect(prompts.status().lastFallback).toBeUndefined()
  })
})

describe('history', () => {
  it('is really sent: what was said before, oldest first', async () => {
    const { say, sent } = await setup()
    const { conversationId } = await say('one')
    await say('two', { conversationId: conversationId ?? '' })
    expect(roles(sent()[1]?.messages ?? [])).toEqual(['system', 'user', 'assistant', 'user'])
    expect(contents(sent()[1]?.messages ?? []).slice(1)).toEqual(['one', 'You said: one', 'two'])
  })

  it('keeps a tool call with its result', async () => {
    const { say, sent } = await setup(
      script(
        call('ask_memory_agent', { input: 'x' }),
        { content: 'tea' },
        { content: 'You drink tea.' },
        { content: 'Yes.' },
      ),
    )
    const { conversationId } = await say('what do I drink?')
    await say('sure?', { conversationId: conversationId ?? '' })
    const messages = sent().at(-1)?.messages ?? []
    expect(roles(messages)).toEqual(['system', 'user', 'assistant', 'tool', 'assistant', 'user'])
    expect(messages[2]?.tool_calls?.[0]?.function.name).toBe('ask_memory_agent')
  })

  it('is cut to the budget, newest kept', async () => {
    const { say, sent } = await setup({ historyTokenBudget: 40 })
    const { conversationId } = await say(`old ${'word '.repeat(60)}`)
    await say('new', { conversationId: conversationId ?? '' })
    await say('newest', { conversationId: conversationId ?? '' })
    expect(contents(sent()[2]?.messages ?? []).slice(1)).toEqual(['new', 'You said: new', 'newest'])
  })

  it('is in order when the next message comes before the last answer is there', async () => {
    const { say, conversations } = await setup({
      respond: (request) => ({ content: `Re ${lastUser(request)}`, pauseMs: 30 }),
    })
    const { conversationId } = await say('one')
    const more = { conversationId: conversationId ?? '' }
    await Promise.all([say('two', more), say('three', more), say('elsewhere')])
    const { messages = [] } = (await conversations.find('ada', more.conversationId, 10)) ?? {}
    expect(messages.map(({ content }) => content)).toEqual([
      'one',
      'Re one',
      'two',
      'Re two',
      'three',
      'Re three',
    ])
  })

  it('has nothing of a message whose sender left while it waited', async () => {
    const { say, chat, request, conversations } = await setup({
      respond: (asked) => ({ content: `Re ${lastUser(asked)}`, pauseMs: 30 }),
    })
    const { conversationId } = await say('one')
    const more = { conversationId: conversationId ?? '' }
    const slow = say('two', more)
    const gone = new AbortController()
    const waiting = chat.start(request('left', { ...more, signal: gone.signal }))
    gone.abort()
    await expect(waiting).rejects.toMatchObject({ status: 503 })
    await slow
    const { messages = [] } = (await conversations.find('ada', more.conversationId, 10)) ?? {}
    expect(messages.map(({ content }) => content)).toEqual(['one', 'Re one', 'two', 'Re two'])
  })

  it('says what was said before as text, which every endpoint takes', async () => {
    const { say, sent } = await setup()
    const { conversationId } = await say('one')
    await say('two', { conversationId: conversationId ?? '' })
    expect(sent()[1]?.messages[2]).toMatchObject({ role: 'assistant', content: 'You said: one' })
  })

  it('holds a message that was sent again once, and counts what failed for nothing', async () => {
    let isBroken = true
    const { say, sent, conversations, users } = await setup({
      respond: (asked) => (isBroken ? { status: 400, message: 'no' } : echo(asked)),
    })
    const { conversationId } = await say('hello')
    const again = { conversationId: conversationId ?? '', isRetry: true }
    for (let i = 0; i < 5; i++) await say('hello', again)
    expect(await users.isOnboarded('ada')).toBe(false)
    isBroken = false
    await say('hello', again)
    await say('other', { ...again })
    const { messages = [] } = (await conversations.find('ada', again.conversationId, 20)) ?? {}
    expect(messages.map(({ content }) => content)).toEqual([
      ...['hello', 'You said: hello', 'other', 'You said: other'],
    ])
    expect(contents(sent().at(-2)?.messages ?? []).slice(1)).toEqual(['hello'])
  })

  it('is one conversation’s own', async () => {
    const { say, sent } = await setup()
    await say('one')
    await say('two')
    expect(contents(sent()[1]?.messages ?? []).slice(1)).toEqual(['two'])
  })

  it('is refused to another user, and nothing is stored', async () => {
    const { say, sent, conversations } = await setup()
    const { conversationId } = await say('one')
    const more = { userId: 'bob', conversationId: conversationId ?? '' }
    await expect(say('two', more)).rejects.toMatchObject({ status: 404 })
    await expect(say('two', { conversationId: randomUUID() })).rejects.toMatchObject({ status: 404 })
    expect(sent()).toHaveLength(1)
    expect((await conversations.find('ada', conversationId ?? '', 10))?.messages).toHaveLength(2)
    expect((await conversations.list('bob', { limit: 10, offset: 0 })).total).toBe(0)
  })
})

describe('a greeting', () => {
  it('leaves nothing behind but itself, until it is answered', async () => {
    const { say, conversations, users } = await setup()
    const greeting = await say(' ')
    expect(greeting).toMatchObject({ conversationId: null, isStored: true })
    expect((await conversations.list('ada', { limit: 10, offset: 0 })).total).toBe(0)
    expect(await users.isOnboarded('ada')).toBe(false)
  })

  it('is the first message of the conversation that answers it, with its versions, and the model sees it', async () => {
    const { say, sent, conversations } = await setup(
      script({ content: 'Good evening.' }, { content: 'Gladly.' }),
    )
    const { greetingId } = await say('')
    const { conversationId } = await say('help me', { greetingId: greetingId ?? '' })
    const found = await conversations.find('ada', conversationId ?? '', 10)
    expect(found?.messages.map(({ role, content }) => [role, content])).toEqual([
      ['assistant', 'Good evening.'],
      ['user', 'help me'],
      ['assistant', 'Gladly.'],
    ])
    expect(found?.messages[0]?.answer?.prompts['orchestrator-base']).toMatchObject({
      version: 1,
      alias: 'production',
    })
    expect(contents(sent()[1]?.messages ?? []).slice(1)).toEqual(['Good evening.', 'help me'])
  })

  it('is answered once, and by its own user; one that is gone is left out', async () => {
    const { say, conversations } = await setup()
    const { greetingId = '' } = await say('')
    const lengthOf = async (userId: string, more: Partial<TurnRequest>) => {
      const { conversationId } = await say('hi', { ...more, userId })
      return (await conversations.find(userId, conversationId ?? '', 10))?.messages.length
    }
    expect(await lengthOf('bob', { greetingId })).toBe(2)
    expect(await lengthOf('ada', { greetingId })).toBe(3)
    expect(await lengthOf('ada', { greetingId })).toBe(2)
  })

  it('is refused in a conversation that has begun', async () => {
    const { say } = await setup()
    const { conversationId } = await say('one')
    await expect(say('', { conversationId: conversationId ?? '' })).rejects.toMatchObject({ status: 400 })
  })
})

describe('onboarding', () => {
  it('lasts five messages, over conversations, greetings not counted', async () => {
    const { say } = await setup()
    const personas: string[] = []
    await say('')
    for (let i = 0; i < 6; i++) personas.push((await say(`message ${i}`)).persona)
    expect(personas).toEqual([...Array(5).fill('onboarding'), 'returning'])
    expect((await say('', { userId: 'bob' })).persona).toBe('onboarding')
  })

  it('ends when the user says so, with that very message, and for good', async () => {
    const { say } = await setup()
    const { persona, outcome } = await say('Please skip the introductions')
    expect(persona).toBe('returning')
    expect(Object.keys(outcome.prompts)).toContain('proactive-greeting')
    expect((await say('hello')).persona).toBe('returning')
  })

  it('puts neither block in when the user cannot be looked up, and answers all the same', async () => {
    const { say, db, lines } = await setup()
    await db.schema.dropTable('users').execute()
    const { persona, outcome, isStored } = await say('hello')
    expect(persona).toBe('none')
    expect(outcome).toMatchObject({ status: 'complete', output: 'You said: hello' })
    expect(Object.keys(outcome.prompts)).toEqual(['orchestrator-base'])
    expect(isStored).toBe(false)
    expect(lines.some(({ event }) => event === 'database.failed')).toBe(true)
  })
})

describe('a turn that goes wrong', () => {
  const stored = async (at: Awaited<ReturnType<typeof setup>>, id: string | null) =>
    (await at.conversations.find('ada', id ?? '', 10))?.messages ?? []

  it('ends with its time, and the question is kept', async () => {
    const at = await setup({ respond: () => ({ hang: true }), timeoutMs: 200 })
    const { outcome, conversationId } = await at.say('hello')
    expect(outcome).toMatchObject({ status: 'failed', failure: { type: 'timeout' }, items: [] })
    expect(await stored(at, conversationId)).toMatchObject([
      { role: 'user', content: 'hello', status: 'complete' },
      { role: 'assistant', content: '', status: 'failed', answer: { failure: { type: 'timeout' } } },
    ])
  })

  const slowly = (request: RecordedRequest) => ({
    content: `Slow ${lastUser(request)} `.repeat(200),
    pauseMs: 5,
  })

  it('is cancelled by its signal: the model’s request ends, and what was said is kept', async () => {
    const at = await setup({ respond: slowly })
    const gone = new AbortController()
    const turn = await at.chat.start(at.request('hello', { signal: gone.signal }))
    let outcome: ChatOutcome | undefined
    for await (const event of turn.events) {
      if (event.type === 'delta') gone.abort()
      if (event.type === 'end') outcome = event.outcome
    }
    expect(outcome).toMatchObject({ status: 'cancelled', failure: { type: 'cancelled' } })
    expect(outcome?.output).toMatch(/^Slow/)
    const [, answer] = await stored(at, turn.conversationId)
    expect(answer).toMatchObject({ status: 'cancelled', content: outcome?.output })
    // the next turn shows the model what the user saw
    const next = await at.chat.start(at.request('go on', { conversationId: turn.conversationId ?? '' }))
    for await (const event of next.events) if (event.type === 'delta') break
    expect(contents(at.sent().at(-1)?.messages ?? []).slice(1)).toEqual(['hello', outcome?.output, 'go on'])
  })

  it('is cancelled when nobody reads on, and by closing', async () => {
    const at = await setup({ respond: slowly })
    const left = await at.chat.start(at.request('one'))
    for await (const event of left.events) if (event.type === 'delta') break
    const closed = await at.chat.start(at.request('two'))
    for await (const event of closed.events) if (event.type === 'delta') break
    await at.chat.close()
    expect(await stored(at, left.conversationId)).toMatchObject([{}, { status: 'cancelled' }])
    expect(await stored(at, closed.conversationId)).toMatchObject([{}, { status: 'cancelled' }])
  })

  it.each([
    { status: 401, type: 'model_unavailable', says: 'API key' },
    { status: 400, type: 'model_unavailable', says: 'refused the request (400)' },
    { status: 404, type: 'model_unavailable', says: 'OPENAI_MODEL' },
  ])(
    'says so when the model answers $status, and logs nothing of what was said',
    async ({ status, type, says }) => {
      const at = await setup({ respond: () => ({ status, message: 'about my secret garden' }) })
      const { outcome } = await at.say('my secret garden')
      expect(outcome.failure).toMatchObject({ type })
      expect(outcome.failure?.message).toContain(says)
      expect(JSON.stringify(at.lines.map(asWritten))).not.toContain('garden')
    },
  )

  it('logs nothing of what was said when a specialist’s model fails, or a model asks for a tool that is not there', async () => {
    const inside = await setup(
      script(
        call('ask_memory_agent', { input: 'secret garden' }),
        { status: 400, message: 'about my secret garden' },
        { content: 'That did not work.' },
      ),
    )
    expect((await inside.say('my secret garden')).outcome.output).toBe('That did not work.')
    const wrong = await setup(
      script(call('secret_garden', { secret: 'garden' }), { content: 'Without it, then.' }),
    )
    expect((await wrong.say('my secret garden')).outcome.output).toBe('Without it, then.')
    for (const { lines } of [inside, wrong])
      expect(JSON.stringify(lines.map(asWritten))).not.toMatch(/garden/)
  })

  it('ends at once when the model says nothing', async () => {
    const at = await setup({ respond: () => ({ content: '' }) })
    const { outcome } = await at.say('hello')
    expect(outcome.failure?.type).toBe('empty_answer')
    expect(at.sent()).toHaveLength(1)
  })

  it('answers with the rest when one specialist hangs, and notes the call as failed', async () => {
    const at = await setup({
      timeoutMs: 3000,
      respond: ({ body }) =>
        body.tools?.some((offered) => offered.function.name === 'query_memory_tool')
          ? { hang: true }
          : body.messages.at(-1)?.role === 'tool'
            ? { content: 'I could not look that up.' }
            : { toolCalls: [{ name: 'ask_memory_agent', arguments: { input: 'x' } }] },
    })
    const { outcome, conversationId } = await at.say('hello')
    expect(outcome).toMatchObject({ status: 'complete', output: 'I could not look that up.' })
    expect(outcome.toolCalls).toMatchObject([{ name: 'ask_memory_agent', ok: false }])
    expect((await stored(at, conversationId))[1]?.answer?.tools).toEqual([
      { agent: 'Assistant', name: 'ask_memory_agent', ok: false },
    ])
  })

  it('tells the model which field a specialist’s call lacks', async () => {
    const at = await setup(script(call('ask_memory_agent', { query: 'x' }), { content: 'Sorry.' }))
    await at.say('hello')
    expect(JSON.stringify(at.sent()[1]?.messages.at(-1))).toContain('input')
  })

  it('stops a model that only calls tools', async () => {
    const at = await setup({ respond: () => ({ toolCalls: [{ name: 'no_such_tool', arguments: {} }] }) })
    expect((await at.say('hello')).outcome.status).toBe('failed')
  })
})

it('logs neither what the user nor what a prompt says', async () => {
  const { say, lines } = await setup()
  await say('my secret garden')
  const text = JSON.stringify(lines)
  expect(text).not.toContain('garden')
  expect(text).not.toContain(String(PROMPT_DEFAULTS['orchestrator-base'].template).slice(0, 40))
  expect(lines.filter(({ event }) => event === 'prompts.resolved')).toMatchObject([{ correlationId: 'test' }])
})
