import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import { createRegistry } from '@promptkeep/client'
import { createLog, openTokens, StartError } from '@promptkeep/server'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hashSecret, makeToken } from '../packages/server/src/auth/token.ts'
import { ask, type Question } from './support/ask.ts'
import { startRegistry } from './support/registry.ts'
import { basic, bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

const OWN = '/api/promptkeep/1.0'
const MLFLOW = '/api/2.0/mlflow'
const json = { 'content-type': 'application/json' }
const lines: string[] = []
const log = createLog(
  'debug',
  new Writable({
    write(chunk, _, done) {
      lines.push(...String(chunk).split('\n').filter(Boolean))
      done()
    },
  }),
)
const events = (name: string) =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ event }) => event === name)

let server: TokenRegistry
/** Whatever any of these tests sent or got as a secret. */
const secrets: string[] = []
const heard: string[] = []

beforeAll(async () => {
  server = await startTokenRegistry({ TRUST_PROXY: '1' }, log)
  secrets.push(...Object.values(server.tokens), server.revoked, server.expired)
})
afterAll(() => server?.stop())

async function send(question: Partial<Question> & { path: string }) {
  const answer = await ask(server.url, { method: 'GET', ...question })
  heard.push(JSON.stringify(answer))
  return answer
}
const from = (address: string) => ({ 'x-forwarded-for': address })
const post = (path: string, body: object, headers: Record<string, string>) =>
  send({ method: 'POST', path, body: JSON.stringify(body), headers: { ...json, ...headers } })
const whoami = (headers: Record<string, string>) => send({ path: `${OWN}/whoami`, headers })
const admin = () => bearer(server.tokens.admin)
const as = (role: keyof TokenRegistry['tokens']) => bearer(server.tokens[role])

describe('credentials', () => {
  it('come as bearer, or as the Basic password with any user name', async () => {
    const { writer } = server.tokens
    for (const headers of [
      bearer(writer),
      { authorization: `bearer ${writer}` },
      { authorization: `BEARER   ${writer}` },
      basic('writer', writer),
      basic('', writer),
      basic('somebody else', writer),
    ])
      expect(await whoami(headers)).toMatchObject({
        status: 200,
        body: { actor: 'writer', roles: ['writer'], tokens: true },
      })
  })
  it('serve our own client from the variables that it shares with MLflow', async () => {
    await post(`${OWN}/seed`, { name: 'mine', alias: 'production', template: 'Hi {{ name }}' }, admin())
    const { reader, writer } = server.tokens
    const { host } = new URL(server.url)
    for (const [trackingUri, env] of [
      [server.url, { MLFLOW_TRACKING_TOKEN: reader }],
      [server.url, { MLFLOW_TRACKING_USERNAME: 'me', MLFLOW_TRACKING_PASSWORD: reader }],
      [`http://me:${reader}@${host}`, {}],
    ] as const) {
      const registry = createRegistry({ trackingUri, env, strict: true })
      expect((await registry.load('mine')).template).toBe('Hi {{ name }}')
      await registry.close()
    }
    const readOnly = createRegistry({ trackingUri: server.url, env: { MLFLOW_TRACKING_TOKEN: reader } })
    await expect(readOnly.setAlias('mine', 'production', 1)).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('needs the role writer, promoter or admin'),
    })
    // An app that may only read finds what is there, and is told of what it may not make.
    expect(await readOnly.seed({ mine: 'Hi {{ name }}', other: 'Ho' })).toMatchObject({
      seeded: [],
      skipped: ['mine'],
      drifted: [],
      failed: ['other'],
    })
    await readOnly.close()
    const writing = createRegistry({ trackingUri: server.url, env: { MLFLOW_TRACKING_TOKEN: writer } })
    expect(await writing.setAlias('mine', 'production', 1)).toMatchObject({ actor: 'writer' })
    await writing.close()
    const stranger = createRegistry({ trackingUri: server.url, env: {}, strict: true })
    await expect(stranger.load('mine')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    await stranger.close()
  })
})

describe('the actor of a change', () => {
  it('is the name of the token, on every way to make one', async () => {
    const name = 'audited'
    const of = (method: string, path: string, body: object, headers: Record<string, string>) =>
      send({ method, path, body: JSON.stringify(body), headers: { ...json, ...headers } })
    const version = (text: string) => ({
      name,
      source: 'dummy-source',
      tags: [
        { key: 'mlflow.prompt.is_prompt', value: 'true' },
        { key: 'mlflow.prompt.text', value: text },
      ],
    })
    const steps = [
      await of('POST', `${OWN}/seed`, { name, alias: 'production', template: 'x' }, as('writer')),
      await of('POST', `${MLFLOW}/model-versions/create`, version('y'), as('admin')),
      await of('POST', `${OWN}/alias`, { name, alias: 'production', version: 2 }, as('promoter')),
      await of(
        'POST',
        `${MLFLOW}/registered-models/alias`,
        { name, alias: 'beta', version: '1' },
        as('writer'),
      ),
      await of('DELETE', `${MLFLOW}/registered-models/alias`, { name, alias: 'beta' }, as('promoter')),
      await of(
        'PATCH',
        `${MLFLOW}/model-versions/update`,
        { name, version: '1', description: 'z' },
        as('writer'),
      ),
      await of('DELETE', `${MLFLOW}/model-versions/delete`, { name, version: '1' }, as('admin')),
      await of(
        'DELETE',
        `${MLFLOW}/registered-models/delete`,
        { name },
        basic('not this', server.tokens.writer),
      ),
    ]
    expect(steps.map(({ status }) => status)).toEqual(steps.map(() => 200))
    const { body } = await send({ path: `${OWN}/changes`, query: [['prompt', name]], headers: as('reader') })
    const { changes } = body as { changes: { kind: string; actor: string }[] }
    const actors = new Map<string, Set<string>>()
    for (const { kind, actor } of changes) actors.set(kind, (actors.get(kind) ?? new Set()).add(actor))
    expect(changes.map(({ actor }) => actor)).not.toContain('anonymous')
    expect(changes.map(({ actor }) => actor)).not.toContain('not this')
    expect([...(actors.get('alias.moved') ?? [])].sort()).toEqual(['promoter', 'writer'])
    expect([...(actors.get('alias.removed') ?? [])]).toContain('promoter')
    expect([...(actors.get('prompt.deleted') ?? [])]).toEqual(['writer'])
  })
})

describe('a token by the API', () => {
  it('is shown once, works at once, is listed without its secret, and is over at once', async () => {
    const made = await post(
      `${OWN}/tokens`,
      { name: 'ci@team-1', roles: ['promoter'], expires_in_seconds: 3600 },
      admin(),
    )
    const { token, ...told } = made.body as {
      token: string
      id: string
      created_at: number
      expires_at: number
    }
    secrets.push(token)
    heard.pop() // the one answer that may hold it
    expect(token).toMatch(/^pk_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$/)
    expect(made).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
    expect(told).toMatchObject({ name: 'ci@team-1', roles: ['promoter'], created_by: 'admin' })
    // The clock is read for each of the two.
    expect(Math.abs(told.expires_at - told.created_at - 3_600_000)).toBeLessThan(1000)
    expect(await whoami(bearer(token))).toMatchObject({ status: 200, body: { actor: 'ci@team-1' } })

    const listed = await send({ path: `${OWN}/tokens`, headers: admin() })
    const { tokens } = listed.body as { tokens: { name: string }[] }
    expect(tokens.find(({ name }) => name === 'ci@team-1')).toMatchObject(told)
    expect(tokens).toHaveLength(8)
    expect(tokens[0]).toMatchObject({ name: 'expired', expires_at: expect.any(Number) })
    expect(tokens[1]).toMatchObject({ name: 'revoked', revoked_at: expect.any(Number) })

    expect(await post(`${OWN}/tokens/revoke`, { token: told.id }, admin())).toMatchObject({
      status: 200,
      body: { name: 'ci@team-1', revoked_at: expect.any(Number) },
    })
    expect(await whoami(bearer(token))).toMatchObject({ status: 401 })
    expect(events('token.created')).toMatchObject([
      { token: 'ci@team-1', roles: ['promoter'], actor: 'admin' },
    ])
    expect(events('token.revoked')).toMatchObject([{ token: 'ci@team-1', tokenId: told.id, actor: 'admin' }])
  })
  it('that is revoked ends the stream that was opened with it', async () => {
    const live = await startTokenRegistry({ HEARTBEAT_MS: '200' })
    onTestFinished(() => live.stop())
    const stream = await fetch(`${live.url}${OWN}/changes`, {
      headers: { accept: 'text/event-stream', ...bearer(live.tokens.reader) },
    })
    expect(stream.status).toBe(200)
    const heard = stream.text()
    await ask(live.url, {
      method: 'POST',
      path: `${OWN}/tokens/revoke`,
      body: '{"token":"reader"}',
      headers: { ...json, ...bearer(live.tokens.admin) },
    })
    const text = await heard // it ends, and by itself
    expect(text).toContain('event: hello')
    expect(text).toContain('event: end')
  }, 30_000)
  it('that is burnt can be revoked by pasting it', async () => {
    const made = await post(`${OWN}/tokens`, { name: 'burnt', roles: ['reader'] }, admin())
    heard.pop()
    const { token } = made.body as { token: string }
    secrets.push(token)
    expect(await post(`${OWN}/tokens/revoke`, { token }, admin())).toMatchObject({ status: 200 })
    expect(await whoami(bearer(token))).toMatchObject({ status: 401 })
    const unknown = makeToken().text
    secrets.push(unknown)
    expect(await post(`${OWN}/tokens/revoke`, { token: unknown }, admin())).toMatchObject({ status: 404 })
  })
  it.each([
    [{ name: 'admin', roles: ['reader'] }, 'was made before'],
    [{ name: 'revoked', roles: ['reader'] }, 'was made before'],
    [{ name: 'anonymous', roles: ['reader'] }, 'another name than anonymous and system'],
    [{ name: 'System', roles: ['reader'] }, 'another name than anonymous and system'],
    [{ name: '', roles: ['reader'] }, 'name must be 1 to 64 letters'],
    [{ name: 'a b', roles: ['reader'] }, 'got "a b"'],
    [{ name: 'a'.repeat(65), roles: ['reader'] }, 'name must be 1 to 64 letters'],
    [{ name: makeToken().text, roles: ['reader'] }, 'name holds a token'],
    [
      { name: 'x', roles: [] },
      'roles must be one or more of reader, writer, evaluator, promoter, admin; got none',
    ],
    [{ name: 'x', roles: ['root'] }, 'got "root"'],
    [
      { name: 'x', roles: ['reader'], expires_in_seconds: 0 },
      'expires_in_seconds must be a whole number from 1',
    ],
    [
      { name: 'x', roles: ['reader'], expires_in_seconds: 1e12 },
      'expires_in_seconds must be a whole number from 1',
    ],
  ])('is not made of %j', async (draft, says) => {
    const before = (await send({ path: `${OWN}/tokens`, headers: admin() })).body as { tokens: object[] }
    expect(await post(`${OWN}/tokens`, draft, admin())).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining(says) },
    })
    const after = (await send({ path: `${OWN}/tokens`, headers: admin() })).body as { tokens: object[] }
    expect(after.tokens).toHaveLength(before.tokens.length)
  })
  it('of the last admin stays, unless it is forced', async () => {
    expect(await post(`${OWN}/tokens/revoke`, { token: 'admin' }, admin())).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('admin is the last valid token of an admin') },
    })
    expect(await whoami(admin())).toMatchObject({ status: 200 })
  })
})

describe('a server without tokens', () => {
  it('lets everybody on this machine do everything, until the first token is made', async () => {
    const open = await startRegistry()
    onTestFinished(() => open.stop())
    const asked = (headers: Record<string, string> = {}) =>
      ask(open.url, { method: 'GET', path: `${OWN}/whoami`, headers })
    const anybody = {
      status: 200,
      body: { actor: 'anonymous', roles: expect.arrayContaining(['admin']), tokens: false },
    }
    expect(await asked()).toMatchObject(anybody)
    expect(await asked(bearer('whatever'))).toMatchObject(anybody)
    const made = await ask(open.url, {
      method: 'POST',
      path: `${OWN}/tokens`,
      body: JSON.stringify({ name: 'root', roles: ['admin'] }),
      headers: json,
    })
    const { token, created_by } = made.body as { token: string; created_by: string }
    expect(created_by).toBe('anonymous')
    expect(await asked()).toMatchObject({ status: 401 })
    expect(await asked(bearer(token))).toMatchObject({ status: 200, body: { actor: 'root', tokens: true } })
    const forced = { token: 'root', force: true }
    await ask(open.url, {
      method: 'POST',
      path: `${OWN}/tokens/revoke`,
      body: JSON.stringify(forced),
      headers: { ...json, ...bearer(token) },
    })
    // Nobody is anonymous again; who has the database gets in.
    expect(await asked()).toMatchObject({ status: 401 })
    const tokens = await openTokens(`sqlite:${join(open.dir, 'registry.db')}`)
    const { text } = await tokens.create({ name: 'recovery', roles: ['admin'] })
    await tokens.close()
    expect(await asked(bearer(text))).toMatchObject({ status: 200, body: { actor: 'recovery' } })
  })
  it.each([
    { HOST: '0.0.0.0' },
    { HOST: '::' },
    { ALLOWED_HOSTS: 'prompts.example.com' },
    { TRUST_PROXY: '1' },
  ])('does not start with %j, and says how to make the first one', async (env) => {
    const failed = startRegistry(env)
    await expect(failed).rejects.toBeInstanceOf(StartError)
    await expect(failed).rejects.toThrow(
      /promptkeep token create NAME --role admin --database sqlite:.*registry\.db$/,
    )
  })
  it('starts on every address once there is one', async () => {
    const exposed = await startTokenRegistry({ HOST: '0.0.0.0' })
    onTestFinished(() => exposed.stop())
    const url = exposed.url.replace('0.0.0.0', '127.0.0.1')
    const path = `${OWN}/whoami`
    expect(await ask(url, { method: 'GET', path })).toMatchObject({ status: 401 })
    expect(await ask(url, { method: 'GET', path, headers: bearer(exposed.tokens.reader) })).toMatchObject({
      status: 200,
    })
  })
})

describe('Host and Origin, where other machines can reach the server', () => {
  let exposed: TokenRegistry
  beforeAll(async () => {
    exposed = await startTokenRegistry({
      HOST: '0.0.0.0',
      ALLOWED_HOSTS: 'Prompts.example.com,registry',
      ALLOWED_ORIGINS: 'https://ui.example.com',
    })
  })
  afterAll(() => exposed?.stop())
  const asked = (headers: Record<string, string>, method = 'GET', path = `${OWN}/whoami`) =>
    ask(exposed.url.replace('0.0.0.0', '127.0.0.1'), {
      method,
      path,
      headers: { ...json, ...bearer(exposed.tokens.admin), ...headers },
      ...(method !== 'GET' && { body: '{"name":"p","alias":"production","template":"x"}' }),
    })

  it.each([
    'localhost',
    '127.0.0.1:5055',
    '192.168.1.20:5055',
    '[2001:db8::1]',
    'prompts.example.com',
    'PROMPTS.example.com:443',
    'registry',
  ])('the host %s passes', async (host) => {
    expect(await asked({ host })).toMatchObject({ status: 200 })
  })
  it.each([
    'evil.example',
    'prompts.example.com.evil.example',
    'x.prompts.example.com',
    '192.168.1.20.evil.example',
    'admin@registry',
    '*',
    '0x7f.1.evil',
  ])('the host %s is refused, also with a good token', async (host) => {
    const answer = await asked({ host })
    expect([400, 403]).toContain(answer.status)
    expect(answer.body).not.toMatchObject({ actor: expect.anything() })
  })
  it('the refusal says how to allow a name', async () => {
    expect(await asked({ host: 'evil.example' })).toMatchObject({
      status: 403,
      body: { $text: expect.stringMatching(/^Invalid Host header - possible DNS rebinding.*ALLOWED_HOSTS/) },
    })
  })
  it.each([
    'https://evil.example',
    'http://ui.example.com',
    'https://ui.example.com:444',
    'https://ui.example.com.evil.example',
    'null',
    'http://192.168.1.20:5055',
  ])('a page of %s writes nothing, also with a good token', async (origin) => {
    expect(await asked({ origin }, 'POST', `${OWN}/seed`)).toMatchObject({
      status: 403,
      body: { $text: 'Cross-origin request blocked' },
    })
    expect((await asked({ origin })).headers['access-control-allow-origin']).toBeUndefined()
  })
  it.each(['https://ui.example.com', 'http://localhost:3000'])('a page of %s writes', async (origin) => {
    const answer = await asked({ origin }, 'POST', `${OWN}/seed`)
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'access-control-allow-origin': origin, vary: 'Origin' },
    })
    expect(await asked({ origin, authorization: '' }, 'POST', `${OWN}/seed`)).toMatchObject({ status: 401 })
  })
  it('every name passes where every name is allowed', async () => {
    const any = await startTokenRegistry({ HOST: '0.0.0.0', ALLOWED_HOSTS: '*' })
    onTestFinished(() => any.stop())
    expect(
      await ask(any.url.replace('0.0.0.0', '127.0.0.1'), {
        method: 'GET',
        path: `${OWN}/whoami`,
        headers: { host: 'whatever.example', ...bearer(any.tokens.reader) },
      }),
    ).toMatchObject({ status: 200 })
  })
})

describe('a token in an address', () => {
  const escaped = (text: string) => text.replaceAll('_', '%5F')
  it.each<[string, (token: string) => string]>([
    ['the query', (token) => `${OWN}/whoami?token=${token}`],
    ['the path', (token) => `/${token}${OWN}/whoami`],
    ['the end of the path', (token) => `${MLFLOW}/registered-models/get/${token}`],
    ['an open path', (token) => `/health?access_token=${token}`],
    ['escapes', (token) => `${OWN}/whoami?token=${escaped(token)}`],
    ['escapes of escapes', (token) => `/x/${escaped(token).replaceAll('%', '%25')}`],
  ])('in %s is refused as burnt, with a good header too', async (_, pathOf) => {
    for (const headers of [{}, admin()])
      expect(await send({ path: pathOf(server.tokens.reader), headers })).toMatchObject({
        status: 400,
        body: { error_code: 'INVALID_PARAMETER_VALUE', message: expect.stringContaining('burnt') },
      })
  })
  it('nor a path that was cut short, nor a correlation id, reaches the log', async () => {
    const { reader } = server.tokens
    await send({ path: `/${reader.slice(0, -3)}`, headers: admin() })
    const answer = await send({ path: `${OWN}/whoami`, headers: { ...admin(), 'x-correlation-id': reader } })
    expect(answer.headers['x-correlation-id']).not.toBe(reader)
    heard.splice(-2) // the first is told its own path
    expect(lines.filter((line) => line.includes(reader.slice(20, 50)))).toEqual([])
  })
})

describe('guessing', () => {
  const guess = (address: string) => {
    const { text } = makeToken()
    secrets.push(text)
    return whoami({ ...bearer(text), ...from(address) })
  }
  const outcomes = async (address: string, times: number) => {
    const statuses: number[] = []
    for (let i = 0; i < times; i++) statuses.push((await guess(address)).status)
    return statuses
  }

  it('locks the address out after ten, unheard, and no other; who worked from there before goes on', async () => {
    const here = '203.0.113.1'
    expect(await whoami({ ...as('reader'), ...from(here) })).toMatchObject({ status: 200 })
    expect(await outcomes(here, 12)).toEqual([...Array(10).fill(401), 429, 429])
    const refused = await whoami({ ...as('writer'), ...from(here) })
    expect(refused).toMatchObject({
      status: 429,
      body: {
        error_code: 'REQUEST_LIMIT_EXCEEDED',
        message: expect.stringContaining('Too many wrong tokens'),
      },
    })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(30)
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60)
    expect(await whoami({ ...as('reader'), ...from(here) })).toMatchObject({ status: 200 })
    expect(await whoami({ ...as('writer'), ...from('203.0.113.2') })).toMatchObject({ status: 200 })
    // Without credentials nothing is guessed: it is told what it needs.
    expect(await whoami(from(here))).toMatchObject({ status: 401 })
    expect(events('auth.locked_out')).toMatchObject([{ address: here, seconds: 60 }])
  })
  it('many at once get no more answers than one after the other', async () => {
    const here = '203.0.113.5'
    const guesses = Array.from({ length: 40 }, () => guess(here))
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(10)
    expect(statuses.filter((status) => status === 429)).toHaveLength(30)
    expect(await whoami({ ...as('promoter'), ...from(here) })).toMatchObject({ status: 429 })
    expect(events('auth.locked_out').filter(({ address }) => address === here)).toHaveLength(1)
  })
  it('is not what a client with an expired or revoked token does', async () => {
    const here = '203.0.113.3'
    for (let i = 0; i < 15; i++)
      expect(await whoami({ ...bearer(server.expired), ...from(here) })).toMatchObject({ status: 401 })
    expect(await whoami({ ...as('reader'), ...from(here) })).toMatchObject({ status: 200 })
  })
  it('is not hidden by addresses that the caller makes up', async () => {
    const spoofed = (n: number) => `198.51.100.${n}, 203.0.113.4`
    for (let i = 0; i < 10; i++) await guess(spoofed(i))
    expect(await guess(spoofed(99))).toMatchObject({ status: 429 })
  })
  it('does not flood the log', () => {
    const told = events('auth.refused').filter(({ address }) => address === '203.0.113.1')
    expect(told.length).toBeGreaterThan(0)
    expect(told.length).toBeLessThanOrEqual(6)
    expect(told[0]).toMatchObject({ reason: 'wrong token', correlationId: expect.any(String) })
  })
})

describe('limits', () => {
  const many = (url: string, headers: Record<string, string>, times: number) =>
    Promise.all(
      Array.from({ length: times }, () => ask(url, { method: 'GET', path: `${OWN}/whoami`, headers })),
    )
  const counts = (answers: readonly { status: number }[]) => ({
    good: answers.filter(({ status }) => status === 200).length,
    tooMany: answers.filter(({ status }) => status === 429).length,
  })

  it('of a token hold for it alone, and say when to come again', async () => {
    const limited = await startTokenRegistry({ RATE_LIMIT_PER_TOKEN: '1' })
    onTestFinished(() => limited.stop())
    const answers = await many(limited.url, bearer(limited.tokens.reader), 20)
    const { good, tooMany } = counts(answers)
    expect(good + tooMany).toBe(20)
    expect(tooMany).toBeGreaterThan(10)
    expect(good).toBeGreaterThanOrEqual(2)
    expect(answers.find(({ status }) => status === 429)).toMatchObject({
      headers: { 'retry-after': expect.stringMatching(/^[12]$/) },
      body: {
        error_code: 'REQUEST_LIMIT_EXCEEDED',
        message: expect.stringMatching(
          /^The token reader makes more requests than RATE_LIMIT_PER_TOKEN allows; try again in [12] s\.$/,
        ),
      },
    })
    expect(counts(await many(limited.url, bearer(limited.tokens.writer), 2))).toEqual({ good: 2, tooMany: 0 })
  })
  it('of an address hold before tokens are looked at, but not for those who watch over the server', async () => {
    const limited = await startTokenRegistry({ RATE_LIMIT_PER_ADDRESS: '1' })
    onTestFinished(() => limited.stop())
    const { tooMany } = counts(await many(limited.url, {}, 20))
    expect(tooMany).toBeGreaterThan(10)
    for (const path of ['/health', '/ready', '/version'])
      expect(await ask(limited.url, { method: 'GET', path })).toMatchObject({ status: 200 })
  })
  it('hold for nobody while there are no tokens', async () => {
    const open = await startRegistry({ RATE_LIMIT_PER_ADDRESS: '1', RATE_LIMIT_PER_TOKEN: '1' })
    onTestFinished(() => open.stop())
    expect(counts(await many(open.url, {}, 50))).toEqual({ good: 50, tooMany: 0 })
  })
})

describe('tokens on the database', () => {
  it('are made, listed and revoked while a server runs, which hears of it within a second', async () => {
    const tokens = await openTokens(server.databaseUrl)
    const { text, token } = await tokens.create({ name: 'by-hand', roles: ['reader'], expiresInSeconds: 60 })
    secrets.push(text)
    expect(token).toMatchObject({ name: 'by-hand', createdBy: 'system' })
    expect(await whoami(bearer(text))).toMatchObject({ status: 200 })
    expect((await tokens.list()).map(({ name }) => name)).toContain('by-hand')
    await tokens.revoke('by-hand')
    await tokens.close()
    const deadline = Date.now() + 10_000
    while ((await whoami(bearer(text))).status === 200 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await whoami(bearer(text))).toMatchObject({ status: 401 })
  })
  it('notes when a token was used', async () => {
    await whoami(as('evaluator'))
    const used = async () => {
      const { body } = await send({ path: `${OWN}/tokens`, headers: admin() })
      const { tokens } = body as { tokens: { name: string; last_used_at?: number }[] }
      return tokens.find(({ name }) => name === 'evaluator')?.last_used_at
    }
    await expect.poll(used, { timeout: 10_000 }).toEqual(expect.any(Number))
  })
  it('needs a database that it can open', async () => {
    await expect(openTokens('sqlite:/dev/null/registry.db')).rejects.toMatchObject({ code: 'CANNOT_OPEN' })
  })
})

it('after all of it, no secret is in a log line, an answer or the database, and no hash in the first two', async () => {
  expect(secrets.length).toBeGreaterThan(20)
  const hidden = secrets.flatMap((token) => [token.slice(-43), hashSecret(token.slice(-43))])
  const leaked = (texts: readonly string[]) =>
    hidden.filter((secret) => texts.some((text) => text.includes(secret)))
  expect(lines.length).toBeGreaterThan(100)
  expect(heard.length).toBeGreaterThan(100)
  expect(leaked(lines)).toEqual([])
  expect(leaked(heard)).toEqual([])

  const folder = dirname(server.databaseUrl.replace('sqlite:', ''))
  const files = await Promise.all(
    (await readdir(folder)).map((file) => readFile(join(folder, file), 'latin1')),
  )
  const kept = secrets
    .map((token) => token.slice(-43))
    .filter((secret) => files.some((text) => text.includes(secret)))
  expect(kept).toEqual([])
})
