import { RunContext } from '@openai/agents'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AssistantContext } from '../agents/context.ts'
import { createMemoryStore, type MemoryLimits } from '../db/memories.ts'
import { openAssistantDatabase } from '../db/open.ts'
import { createMemoryTools } from './memory.ts'
import { createRateLimit } from './rate-limit.ts'

interface Setup {
  readonly limits?: Partial<MemoryLimits>
  readonly readsPerMinute?: number
}

async function setup({ limits, readsPerMinute = 1000 }: Setup = {}) {
  const database = await openAssistantDatabase('sqlite::memory:')
  onTestFinished(() => database.close())
  let time = Date.UTC(2026, 2, 1)
  let ids = 0
  const now = () => time
  const warnings: object[] = []
  const tools = createMemoryTools({
    memories: createMemoryStore({ db: database.db, now, newId: () => `m${++ids}` }),
    limits: { perConversation: 1000, perHour: 1000, ...limits },
    reads: createRateLimit({ perWindow: readsPerMinute, windowMs: 60_000, now }),
    log: { debug() {}, info() {}, error() {}, warn: (fields, event) => warnings.push({ event, ...fields }) },
  })

  function as(userId = 'ada', conversationId: string | null = 'c1') {
    const context = new RunContext({ userId, conversationId, correlationId: 'x' } as AssistantContext)
    const call = async (name: string, given: object) => {
      const tool = tools.find((tool) => tool.name === name)
      return JSON.parse(String(await tool?.invoke(context, JSON.stringify(given))))
    }
    return {
      save: (content: string, more: object = {}) =>
        call('save_memory_tool', { content, memory_type: 'fact', ...more }),
      query: (query: string, more: object = {}) => call('query_memory_tool', { query, ...more }),
      remove: (description: string, id?: string) => call('delete_memory_tool', { description, id }),
      found: async (query: string, more: object = {}) => {
        const { memories } = await call('query_memory_tool', { query, ...more })
        return memories.map((memory: { content: string }) => memory.content)
      },
    }
  }
  return { as, pass: (ms: number) => (time += ms), warnings, db: database.db }
}

describe('save_memory_tool', () => {
  it('says stored, and the memory is there at once', async () => {
    const { save, query } = (await setup()).as()
    expect(await save('User lives in Oslo', { importance: 0.9 })).toEqual({
      ...{ success: true, action: 'stored', id: 'm1', content: 'User lives in Oslo', type: 'fact' },
    })
    expect(await query('where does the user live')).toEqual({
      memories: [
        {
          content: 'User lives in Oslo',
          type: 'fact',
          relevance: 1,
          context: 'saved 2026-03-01, importance 0.9',
        },
      ],
      metadata: {
        ...{ count: 1, truncated: false, total_available: 1 },
        ...{ remaining_rate_limit: 999, today: '2026-03-01' },
      },
    })
  })

  it('says duplicate for the same words, whatever their case, accents and articles', async () => {
    const { save, found } = (await setup()).as()
    await save('User owns a café.')
    expect(await save('user owns the CAFE')).toMatchObject({ success: true, action: 'duplicate' })
    expect(await found('café')).toEqual(['User owns a café.'])
  })

  it('keeps what differs in a number or a negation', async () => {
    const { save } = (await setup()).as()
    await save('User has 2 cats')
    expect(await save('User has 3 cats')).toMatchObject({ action: 'stored' })
    expect(await save('User has no cats')).toMatchObject({ action: 'stored' })
  })

  it.each([
    { rule: 'an empty text', content: '  ', more: {}, reason: 'empty' },
    { rule: 'a text over 2000 characters', content: 'x'.repeat(2001), more: {}, reason: 'too_long' },
    { rule: 'U+0000', content: 'a\0b', more: {}, reason: 'not_text' },
    { rule: 'half a character', content: 'a\ud800b', more: {}, reason: 'not_text' },
    { rule: 'a confidence that is none', content: 'x', more: { confidence: 80 }, reason: 'bad_confidence' },
    { rule: 'an importance that is none', content: 'x', more: { importance: -1 }, reason: 'bad_importance' },
    { rule: 'a guess', content: 'x', more: { confidence: 0.49 }, reason: 'low_confidence' },
    {
      rule: 'what the user has to confirm',
      content: 'x',
      more: { confidence: 0.69 },
      reason: 'confirm_with_user',
    },
    { rule: 'a type that is none', content: 'x', more: { memory_type: 'secret' }, reason: 'bad_arguments' },
  ])('refuses $rule, says why, and stores nothing', async ({ content, more, reason }) => {
    const { save, query } = (await setup()).as()
    expect(await save(content, more)).toMatchObject({ success: false, action: 'refused', reason })
    expect((await query('')).metadata.total_available).toBe(0)
  })

  it('refuses more than a conversation, or an hour, may hold', async () => {
    const { as, pass } = await setup({ limits: { perConversation: 1, perHour: 2 } })
    expect(await as('ada', 'c1').save('one')).toMatchObject({ action: 'stored' })
    expect(await as('ada', 'c1').save('two')).toMatchObject({ action: 'refused', reason: 'limit' })
    expect(await as('ada', 'c2').save('two')).toMatchObject({ action: 'stored' })
    expect(await as('ada', 'c3').save('three')).toMatchObject({ action: 'refused', reason: 'limit' })
    expect(await as('bob', 'c4').save('three')).toMatchObject({ action: 'stored' })
    pass(3_600_001)
    expect(await as('ada', 'c3').save('three')).toMatchObject({ action: 'stored' })
  })

  it('stores one of two equal memories that are saved at once', async () => {
    const { save } = (await setup()).as()
    const actions = (await Promise.all([save('User sings'), save('User sings')])).map(({ action }) => action)
    expect(actions.sort()).toEqual(['duplicate', 'stored'])
  })

  it('says that nothing was saved when memory is out of order', async () => {
    const { as, db, warnings } = await setup()
    await db.schema.dropTable('memories').execute()
    expect(await as().save('User sings')).toMatchObject({
      success: false,
      action: 'refused',
      reason: 'error',
    })
    expect(await as().query('sings')).toMatchObject({ success: false, memories: [] })
    expect(JSON.stringify(warnings)).not.toContain('User sings')
    expect(warnings).toMatchObject([{ event: 'tool.failed' }, { event: 'tool.failed' }])
  })
})

describe('query_memory_tool', () => {
  const FACTS = [
    'User’s favourite coffee is a flat white',
    'User works as a nurse in Bergen',
    'Die Schwester der Nutzerin wohnt in Zürich',
    'L’utilisateur a une voiture électrique',
    'A la usuaria le gusta el fútbol',
    '用户住在北京',
    'Пользователь играет на гитаре',
    'המשתמש גר בחיפה',
  ]

  it.each([
    { query: 'coffee preferences', want: FACTS[0] },
    { query: 'What job does she have as a NURSE?', want: FACTS[1] },
    { query: 'Wo wohnt die Schwester?', want: FACTS[2] },
    { query: 'Zurich', want: FACTS[2] },
    { query: 'voiture electrique', want: FACTS[3] },
    { query: '¿Qué fútbol le gusta?', want: FACTS[4] },
    { query: '北京', want: FACTS[5] },
    { query: 'гитара гитаре', want: FACTS[6] },
    { query: 'בחיפה', want: FACTS[7] },
  ])('finds by $query', async ({ query, want }) => {
    const { save, found } = (await setup()).as()
    for (const fact of FACTS) await save(fact)
    expect(await found(query)).toEqual([want])
  })

  it.each([
    'quantum physics lectures',
    'What is the capital of Australia?',
    'favourite football club of his brother in law',
    'recommend a good restaurant near the harbour for dinner tomorrow with coffee afterwards',
    'la casa del presidente',
    'was ist das',
    '上海天气',
    'the of and',
    '" OR owner : * NEAR(',
    '👍',
  ])('finds nothing for the unrelated %j', async (query) => {
    const { save, found } = (await setup()).as()
    for (const fact of FACTS) await save(fact)
    expect(await found(query)).toEqual([])
  })

  it.each([
    { memory: 'User’s dog is called Rex', query: 'call a taxi', isFound: false },
    { memory: 'User runs every morning', query: 'the morning news', isFound: false },
    { memory: 'User prefers tea to coffee', query: 'coffee machine repair manual', isFound: false },
    {
      memory: 'User works on project Falcon, due 12 March',
      query: 'due date of the tax return',
      isFound: false,
    },
    {
      memory: 'User works on project Falcon, due 12 March',
      query: 'what project management tool is best',
      isFound: false,
    },
    { memory: 'User lives in Oslo', query: 'live music', isFound: false },
    { memory: 'User takes the bus on Mondays', query: 'find a Monday night film', isFound: false },
    { memory: 'User’s dog is called Rex', query: 'what is my dog called', isFound: true },
    { memory: 'User’s dog is called Rex', query: 'Rex', isFound: true },
    { memory: 'User runs every morning', query: 'what does the user do every morning', isFound: true },
    { memory: 'User runs every morning', query: 'morning run', isFound: true },
    { memory: 'User reads the morning news', query: 'the morning news', isFound: true },
    { memory: 'User prefers tea to coffee', query: 'coffee or tea', isFound: true },
    { memory: 'User prefers tea to coffee', query: 'how does the user like their coffee', isFound: true },
    {
      memory: 'User works on project Falcon, due 12 March',
      query: 'when is project Falcon due',
      isFound: true,
    },
    { memory: 'User works on project Falcon, due 12 March', query: 'Falcon deadline', isFound: true },
    { memory: 'User lives in Oslo', query: 'where does the user live', isFound: true },
    { memory: 'User’s sister Mira has her birthday in May', query: 'sister birthday present', isFound: true },
  ])('by $query finds "$memory": $isFound', async ({ memory, query, isFound }) => {
    const { save, found } = (await setup()).as()
    await save(memory)
    expect(await found(query)).toEqual(isFound ? [memory] : [])
  })

  it.each([
    { query: 'decisions', types: ['decision'], want: ['User decided on oak'] },
    { query: 'notes', types: ['note'], want: ['The kitchen is to be done by June'] },
    { query: 'preferences', types: ['preference'], want: ['User hates early calls', 'User prefers tea'] },
    {
      query: 'facts and decisions',
      types: ['fact', 'decision'],
      want: ['User decided on oak', 'User sings'],
    },
    { query: 'important decisions about oak', types: ['decision'], want: ['User decided on oak'] },
    { query: 'decisions about the harbour', types: ['decision'], want: [] },
    { query: 'harbour', types: ['note'], want: [] },
  ])('lists a type that the query names: $query', async ({ query, types, want }) => {
    const { as, pass } = await setup()
    const { save, found } = as()
    for (const [content, memory_type] of [
      ['User sings', 'fact'],
      ['User prefers tea', 'preference'],
      ['User hates early calls', 'preference'],
      ['User decided on oak', 'decision'],
      ['The kitchen is to be done by June', 'note'],
    ] as const) {
      await save(content, { memory_type })
      pass(1000)
    }
    expect(await found(query, { types })).toEqual(want)
  })

  it('names the argument that is wrong, and what is allowed', async () => {
    const { query, save, remove } = (await setup()).as()
    const { error } = (await query('tea', { types: ['secret'] })).metadata
    expect(error).toMatch(/types\.0: .*"fact"\|"preference"\|"decision"\|"note"/)
    expect((await save('x', { confidence: 'high' })).message).toMatch(/confidence: .*number/)
    expect((await save('x', { memory_type: 'secret' })).message).toMatch(/memory_type: .*"decision"/)
    expect(await remove(7 as never)).toMatchObject({
      reason: 'bad_arguments',
      message: expect.stringMatching(/^Nothing was deleted\. .*description: .*string/),
    })
  })

  it('finds nothing unrelated when there is one memory only', async () => {
    const { save, found } = (await setup()).as()
    await save('User likes jazz')
    expect(await found('user likes hiking')).toEqual([])
    expect(await found('jazz')).toEqual(['User likes jazz'])
  })

  it('puts the better match first', async () => {
    const { save, found } = (await setup()).as()
    await save('User drinks coffee at work and has long meetings about budgets every single Monday')
    await save('User drinks black coffee')
    expect(await found('black coffee')).toEqual([
      'User drinks black coffee',
      'User drinks coffee at work and has long meetings about budgets every single Monday',
    ])
  })

  it('lists the newest when the question is what there is', async () => {
    const { as, pass } = await setup()
    const { save, found } = as()
    await save('User sings')
    pass(1000)
    await save('User paints', { memory_type: 'preference' })
    expect(await found('what do you know about me?')).toEqual(['User paints', 'User sings'])
    expect(await found('', { types: ['preference'] })).toEqual(['User paints'])
  })

  it('answers at most ten, within its tokens, and says that there are more', async () => {
    const { save, query } = (await setup()).as()
    for (let i = 0; i < 12; i++) await save(`User bought plant ${i}`)
    expect((await query('plant')).metadata).toMatchObject({ count: 10, truncated: true, total_available: 12 })
    for (let i = 0; i < 3; i++) await save(`User's novel ${i} ${'word '.repeat(390)}`)
    expect((await query('novel')).metadata).toMatchObject({ count: 2, truncated: true, total_available: 3 })
  })

  it('shows nobody another user’s memories', async () => {
    const { as } = await setup()
    await as('ada').save('User lives in Oslo')
    expect(await as('bob').found('Oslo')).toEqual([])
    expect(await as('bob').found('')).toEqual([])
    expect(await as('ad').found('Oslo')).toEqual([])
  })

  it('is limited per user and minute', async () => {
    const { as, pass } = await setup({ readsPerMinute: 1 })
    expect((await as('ada').query('x')).metadata.remaining_rate_limit).toBe(0)
    expect((await as('ada').query('x')).metadata.error).toContain('rate limit exceeded')
    expect((await as('bob').query('x')).metadata.error).toBeUndefined()
    pass(60_001)
    expect((await as('ada').query('x')).metadata.error).toBeUndefined()
  })
})

describe('delete_memory_tool', () => {
  it('shows candidates first, deletes the chosen one only, and it is gone', async () => {
    const { save, remove, found } = (await setup()).as()
    await save('User drinks tea')
    await save('User drinks coffee')
    const { action, candidates } = await remove('drinks')
    expect(action).toBe('candidates_found')
    expect(candidates.map((candidate: { id: string }) => candidate.id).sort()).toEqual(['m1', 'm2'])
    expect(await found('drinks')).toHaveLength(2)
    expect(await remove('drinks', 'm1')).toMatchObject({ success: true, action: 'deleted', id: 'm1' })
    expect(await found('drinks')).toEqual(['User drinks coffee'])
    expect(await found('')).toEqual(['User drinks coffee'])
    expect(await remove('drinks', 'm1')).toMatchObject({ action: 'not_found' })
  })

  it('finds no candidates for an unrelated description', async () => {
    const { save, remove } = (await setup()).as()
    await save('User drinks tea')
    expect(await remove('bicycle')).toMatchObject({ action: 'not_found' })
  })

  it('refuses an id that was not shown, to this user or in this conversation', async () => {
    const { as } = await setup()
    await as('ada').save('User drinks tea')
    expect(await as('ada').remove('tea', 'm1')).toMatchObject({
      success: false,
      action: 'refused',
      reason: 'not_shown',
    })
    await as('ada', 'c1').remove('tea')
    expect(await as('ada', 'c2').remove('tea', 'm1')).toMatchObject({ action: 'refused' })
    expect(await as('bob', 'c1').remove('tea', 'm1')).toMatchObject({ action: 'refused' })
    expect(await as('ada').found('tea')).toEqual(['User drinks tea'])
  })

  it('lets a deleted memory be saved again', async () => {
    const { save, remove, found } = (await setup()).as()
    await save('User drinks tea')
    await remove('tea')
    await remove('tea', 'm1')
    expect(await save('User drinks tea')).toMatchObject({ action: 'stored' })
    expect(await found('tea')).toEqual(['User drinks tea'])
  })
})

describe('a correction', () => {
  it('replaces the memory that was shown, and the old one is found no more', async () => {
    const { save, remove, found } = (await setup()).as()
    await save('User lives in Oslo')
    await remove('lives')
    expect(await save('User lives in Rome', { replaces_id: 'm1' })).toMatchObject({ action: 'stored' })
    expect(await found('lives')).toEqual(['User lives in Rome'])
  })

  it('is refused whole when the old one was not shown', async () => {
    const { save, found } = (await setup()).as()
    await save('User lives in Oslo')
    expect(await save('User lives in Rome', { replaces_id: 'm1' })).toMatchObject({
      reason: 'bad_replaces_id',
    })
    expect(await found('lives')).toEqual(['User lives in Oslo'])
  })
})
