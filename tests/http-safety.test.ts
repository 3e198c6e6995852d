import { once } from 'node:events'
import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { createLog } from '@promptkeep/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, type Question } from './support/ask.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const MLFLOW = '/api/2.0/mlflow'
const OWN = '/api/promptkeep/1.0'
const MB = 1024 * 1024
const json = { 'content-type': 'application/json' }

let server: TestRegistry
const lines: string[] = []

beforeAll(async () => {
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(...String(chunk).split('\n').filter(Boolean))
      done()
    },
  })
  server = await startRegistry({}, createLog('info', sink))
})
afterAll(() => server?.stop())

const send = (question: Partial<Question> & { path: string }) =>
  ask(server.url, { method: 'GET', ...question })
const create = (name: string, headers: Record<string, string> = {}, extra: object = {}) =>
  send({
    method: 'POST',
    path: `${MLFLOW}/registered-models/create`,
    body: JSON.stringify({ name, ...extra }),
    headers: { ...json, ...headers },
  })
const exists = async (name: string) =>
  (await send({ path: `${MLFLOW}/registered-models/get`, query: [['name', name]] })).status === 200

describe('the Host header', () => {
  const rebinding = {
    status: 403,
    body: { $text: 'Invalid Host header - possible DNS rebinding attack detected' },
  }

  it.each([
    'evil.example',
    'evil.example:5055',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.168.1.20',
    '10.0.0.1:5055',
    '0.0.0.0',
    '[::]',
    '[fe80::1]',
  ])('%s is refused, and nothing is done', async (host) => {
    expect(await create('rebound', { host })).toMatchObject(rebinding)
    expect(await send({ path: `${OWN}/capabilities`, headers: { host } })).toMatchObject(rebinding)
    expect(await send({ path: '/ready', headers: { host } })).toMatchObject(rebinding)
    expect(await exists('rebound')).toBe(false)
  })
  it.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '127.1.2.3:5055', '[::1]:5055'])(
    '%s passes',
    async (host) => {
      expect((await send({ path: `${OWN}/capabilities`, headers: { host } })).status).toBe(200)
    },
  )
  it.each(['/health', '/version'])('%s answers under any name', async (path) => {
    expect((await send({ path, headers: { host: 'monitor.example' } })).status).toBe(200)
  })
  it.each(['a b', '127.0.0.1@evil.example', 'evil.example/..', 'x\\y', '%', '[', '127.0.0.1:99999'])(
    '%j is refused, never a 5xx',
    async (host) => {
      const { status } = await send({ path: `${OWN}/capabilities`, headers: { host } })
      expect([400, 403]).toContain(status)
    },
  )
})

describe('the Origin header', () => {
  const foreign = [
    'https://evil.example',
    'http://localhost.evil.example',
    'http://192.168.1.20:3000',
    'null',
    'file://',
    'chrome-extension://abc',
    'http://127.0.0.1.evil.example',
    'nonsense',
  ]
  const changing = [
    ['POST', `${MLFLOW}/registered-models/set-tag`, { name: 'kept', key: 'k', value: 'v' }],
    ['PATCH', `${MLFLOW}/registered-models/update`, { name: 'kept', description: 'changed' }],
    ['DELETE', `${MLFLOW}/registered-models/delete`, { name: 'kept' }],
    ['POST', `${OWN}/seed`, { name: 'foreign', alias: 'production', template: 'x' }],
    ['POST', `${OWN}/alias`, { name: 'kept', alias: 'production', version: 1 }],
  ] as const

  beforeAll(async () => {
    await create('kept')
  })
  it.each(foreign)('%s changes nothing', async (origin) => {
    const before = await send({ path: `${MLFLOW}/registered-models/get`, query: [['name', 'kept']] })
    for (const [method, path, body] of changing)
      expect(
        await send({ method, path, body: JSON.stringify(body), headers: { ...json, origin } }),
      ).toMatchObject({ status: 403, body: { $text: 'Cross-origin request blocked' } })
    expect(await send({ path: `${MLFLOW}/registered-models/get`, query: [['name', 'kept']] })).toMatchObject({
      status: 200,
      body: before.body,
    })
    expect(await exists('foreign')).toBe(false)
  })
  it.each(foreign)('%s reads, but its page is not let see it', async (origin) => {
    const answer = await send({
      path: `${MLFLOW}/registered-models/get`,
      query: [['name', 'kept']],
      headers: { origin },
    })
    expect(answer.status).toBe(200)
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })
  it.each(['http://localhost:3000', 'http://127.0.0.1:8000', 'https://[::1]:8000'])(
    '%s may write',
    async (origin) => {
      const answer = await create(`from-${origin.replace(/\W/g, '')}`, { origin })
      expect(answer.status).toBe(200)
      expect(answer.headers['access-control-allow-origin']).toBe(origin)
      expect(answer.headers.vary).toBe('Origin')
    },
  )
  it('gets its preflight answered only from this machine', async () => {
    const preflight = (origin: string) =>
      send({
        method: 'OPTIONS',
        path: `${OWN}/alias`,
        headers: { origin, 'access-control-request-headers': 'content-type' },
      })
    expect(await preflight('http://localhost:3000')).toMatchObject({
      status: 200,
      headers: {
        'access-control-allow-origin': 'http://localhost:3000',
        'access-control-allow-headers': 'content-type',
      },
    })
    const { headers } = await preflight('https://evil.example')
    expect(headers['access-control-allow-origin']).toBeUndefined()
  })
})

describe('bodies', () => {
  const seed = (bytes: number) => {
    const body = JSON.stringify({ name: 'big', alias: 'production', template: '', pad: '' })
    return body.replace('"pad":""', `"pad":"${'x'.repeat(bytes - body.length)}"`)
  }
  const model = (bytes: number) => `{"name":"big","pad":"${'x'.repeat(bytes - 23)}"}`

  it('of our own routes may have 1 MB', async () => {
    const post = (body: string) => send({ method: 'POST', path: `${OWN}/seed`, body, headers: json })
    expect(await post(seed(MB))).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('template') },
    })
    expect(await post(seed(MB + 1))).toMatchObject({
      status: 413,
      body: { message: expect.stringContaining('1 MB') },
      headers: { connection: 'close' },
    })
  })
  it("of MLflow's routes may have 4 MB", async () => {
    const post = (body: string) =>
      send({ method: 'POST', path: `${MLFLOW}/registered-models/create`, body, headers: json })
    expect((await post(model(4 * MB + 1))).status).toBe(413)
    expect(await exists('big')).toBe(false)
    expect((await post(model(4 * MB))).status).toBe(200)
  })
  it('of 100,000 emoji as Python escapes them are read', async () => {
    await create('emoji')
    const tags = [
      { key: 'mlflow.prompt.is_prompt', value: 'true' },
      { key: 'mlflow.prompt.text', value: '😀'.repeat(100_000) },
    ]
    const escaped = JSON.stringify({ name: 'emoji', source: 'dummy-source', tags }).replace(
      /[\ud800-\udfff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16)}`,
    )
    expect(escaped.length).toBeGreaterThan(1.1 * MB)
    const path = `${MLFLOW}/model-versions/create`
    expect((await send({ method: 'POST', path, body: escaped, headers: json })).status).toBe(200)
  })
  it.each([
    [
      'without a length',
      (body: string) =>
        `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
    ['behind a short length', (body: string) => `Content-Length: 10\r\n\r\n${body}`],
  ])('%s are limited too', async (_, framed) => {
    const head = `POST ${OWN}/seed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n`
    expect(await raw(head + framed('x'.repeat(MB + 1)))).toMatch(/^HTTP\/1\.1 4(13|00) /)
  })
  it('of a GET are limited too', async () => {
    const path = `${MLFLOW}/registered-models/get`
    expect((await send({ path, body: model(MB - 5), headers: json })).status).toBe(200)
    expect((await send({ path, body: model(MB + 1), headers: json })).status).toBe(413)
  })
  it.each(['POST', 'GET'])('of a %s that break off are no failure of the server', async (method) => {
    const path = method === 'GET' ? `${MLFLOW}/registered-models/get` : `${OWN}/seed`
    const id = `broke-off-${method}`
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    await once(socket, 'connect')
    const head = [
      `${method} ${path} HTTP/1.1`,
      'Host: localhost',
      'Content-Type: application/json',
      `X-Correlation-Id: ${id}`,
      'Content-Length: 50',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n{"na`)
    await send({ path: '/ready' }) // answered, so the half request has arrived too
    socket.resetAndDestroy()
    await expect
      .poll(() => lines.filter((line) => line.includes(id)).map((line) => JSON.parse(line)))
      .toMatchObject([{ event: 'request.completed', status: 400 }])
    expect((await send({ path: '/ready' })).status).toBe(200)
  })
})

describe('every answer', () => {
  it.each<[number, Partial<Question> & { path: string }]>([
    [200, { path: '/health' }],
    [400, { path: `${MLFLOW}/registered-models/get` }],
    [403, { path: '/ready', headers: { host: 'evil.example' } }],
    [404, { path: '/nope' }],
    [405, { path: `${MLFLOW}/registered-models/create` }],
    [413, { method: 'POST', path: `${OWN}/seed`, body: 'x'.repeat(MB + 1), headers: json }],
  ])('%i carries the headers that keep it from being sniffed or framed', async (status, question) => {
    expect(await send(question)).toMatchObject({
      status,
      headers: {
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'SAMEORIGIN',
        'x-correlation-id': expect.stringMatching(/./),
      },
    })
  })
  it('to an unknown path or method says what there is', async () => {
    expect(await send({ path: '/api/2.0/mlflow/nope' })).toMatchObject({
      status: 404,
      body: { error_code: 'ENDPOINT_NOT_FOUND' },
    })
    expect(await send({ method: 'PUT', path: `${OWN}/alias` })).toMatchObject({
      status: 405,
      headers: { allow: 'POST, OPTIONS' },
    })
    expect(await send({ method: 'OPTIONS', path: `${MLFLOW}/registered-models/alias` })).toMatchObject({
      status: 204,
      headers: { allow: 'GET, HEAD, POST, DELETE, OPTIONS' },
    })
  })
})

describe('the correlation id', () => {
  const sentBack = async (id: string) =>
    (await send({ path: '/version', headers: { 'x-correlation-id': id } })).headers['x-correlation-id']

  it.each(['a', 'Req_1.2-3', 'x'.repeat(128)])('%s is kept', async (id) => {
    expect(await sentBack(id)).toBe(id)
  })
  it.each(['', 'x'.repeat(129), 'a b', 'a,b', '{"a":1}', '<script>', 'é', 'a/b'])(
    '%j is replaced, and the request answered all the same',
    async (id) => {
      const answered = await sentBack(id)
      expect(answered).not.toBe(id)
      expect(answered).toMatch(/^[A-Za-z0-9._-]{1,128}$/)
    },
  )
  it('is another one for each request that has none', async () => {
    const ids = await Promise.all(
      [1, 2, 3].map(async () => (await send({ path: '/version' })).headers['x-correlation-id']),
    )
    expect(new Set(ids).size).toBe(3)
  })
})

describe('the log', () => {
  it('has one line of JSON for each request, and no text of a prompt', async () => {
    const secret = 'do-not-log-me'
    const logged = (id: string) =>
      lines
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter((line) => line.correlationId === id)

    await create('logged', { 'x-correlation-id': 'log-1' }, { description: secret })
    await send({ path: `${MLFLOW}/registered-models/search`, query: [['filter', `name = '${secret}'`]] })
    await send({
      method: 'POST',
      path: `${OWN}/seed`,
      body: JSON.stringify({
        name: 'logged-2',
        alias: 'production',
        template: secret,
        commit_message: secret,
      }),
      headers: { ...json, 'x-correlation-id': 'log-2', authorization: `Bearer ${secret}` },
    })
    await send({
      method: 'POST',
      path: `${OWN}/alias`,
      body: JSON.stringify({ name: 'logged-2', alias: 'experiment', version: 1, reason: secret }),
      headers: { ...json, 'x-correlation-id': 'log-3' },
    })
    await send({ path: `${OWN}/nope`, headers: { 'x-correlation-id': 'log-4' } })

    expect(logged('log-1')).toEqual([
      {
        level: 30,
        time: expect.any(String),
        event: 'request.completed',
        requestId: expect.stringMatching(/^\S+$/),
        correlationId: 'log-1',
        method: 'POST',
        path: `${MLFLOW}/registered-models/create`,
        status: 200,
        ms: expect.any(Number),
      },
    ])
    expect(logged('log-2').map(({ event, status }) => [event, status])).toEqual([['request.completed', 200]])
    expect(logged('log-3')).toMatchObject([
      { event: 'alias.moved', prompt: 'logged-2', alias: 'experiment', to: 1, actor: 'anonymous' },
      { event: 'request.completed', status: 200 },
    ])
    expect(logged('log-4')).toMatchObject([{ event: 'request.completed', status: 404 }])
    const completed = ['log-1', 'log-2', 'log-3', 'log-4'].flatMap((id) =>
      logged(id).filter(({ event }) => event === 'request.completed'),
    )
    expect(new Set(completed.map(({ requestId }) => requestId)).size).toBe(4)
    expect(lines.filter((line) => line.includes(secret))).toEqual([])
  })
})

/** What the server sends back to these very bytes. */
async function raw(request: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => {
    answer += String(chunk)
  })
  socket.on('error', () => {}) // it may be closed while we still send
  socket.write(request)
  await once(socket, 'close')
  return answer
}
