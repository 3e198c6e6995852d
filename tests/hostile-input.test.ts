import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PERMISSIONS } from '../packages/server/src/auth/permissions.ts'
import { type Answer, ask } from './support/ask.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { fieldsOf, ROUTES, type Route } from './support/registry-routes.ts'
import { bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

const OWN = '/api/promptkeep/1.0'
const MLFLOW = '/api/2.0/mlflow'
const MB = 1024 * 1024
const json = { 'content-type': 'application/json' }
const PATHS = [...PERMISSIONS].map(([route, permission]) => {
  const [method = '', path = ''] = route.split(' ')
  return { route, method, path, permission }
})

/** The same at every run, and no text in any encoding. */
function noise(bytes: number): Buffer {
  const out = Buffer.alloc(bytes)
  let state = 1
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    out[i] = state >>> 24
  }
  return out
}

const GARBAGE: readonly { what: string; body: Buffer | string; type: string }[] = [
  { what: 'bytes', body: noise(MB), type: 'application/octet-stream' },
  { what: 'bytes said to be JSON', body: noise(MB), type: 'application/json' },
  { what: 'half a JSON', body: `{"name":"${'x'.repeat(MB - 9)}`, type: 'application/json' },
  { what: 'brackets', body: '['.repeat(MB), type: 'application/json' },
  { what: 'a form', body: `name=${'a=b&'.repeat(MB / 4 - 2)}`, type: 'application/x-www-form-urlencoded' },
]

const SQL = [
  "'; drop table models; --",
  "' or '1'='1",
  '" or ""="',
  "x') union select hash, 1, 1 from tokens --",
  '`; delete from tokens; `',
  "%' escape '\\",
  '$1 ? :a @b {{ x }} {% x %}',
]
/** Every control character save U+0000, which is refused, and some that turn a line around or split it. */
const CONTROLS = [
  Array.from({ length: 31 }, (_, n) => String.fromCharCode(n + 1)).join(''),
  'a\u007f\u0080\u009fb',
  'a\r\nSet-Cookie: x=1\r\n\r\nb',
  '\u202eevil\u2066\ufeff\u2028\u2029',
  '\u001b[2J\u001b]0;x\u0007',
]
/** What only the inside of a server says. */
const INSIDE = /SQLITE_|syntax error|relation ".*"|\bat \S+ \(|\.ts:\d+|\.js:\d+|node_modules|node:internal/

describe.each(databases)('hostile input on $database', (on) => {
  if (on.skip) return it.skip(`skipped: ${on.skip}`)
  let database: TestDatabase
  let server: TokenRegistry
  const known = { name: 'known', model: 'plain', alias: 'production', version: '1', run: '', experiment: '' }

  beforeAll(async () => {
    database = await on.start()
    server = await startTokenRegistry({
      ...database.env,
      RATE_LIMIT_PER_TOKEN: '0',
      RATE_LIMIT_PER_ADDRESS: '0',
    })
    await must('POST', `${OWN}/seed`, { name: known.name, alias: known.alias, template: 'Hi' })
    await must('POST', `${MLFLOW}/registered-models/create`, { name: known.model })
    const made = await must('POST', `${MLFLOW}/experiments/create`, { name: 'evals' })
    known.experiment = (made as { experiment_id: string }).experiment_id
    const run = await must('POST', `${MLFLOW}/runs/create`, { experiment_id: known.experiment })
    known.run = (run as { run: { info: { run_id: string } } }).run.info.run_id
  })
  afterAll(async () => {
    await server?.stop()
    await database?.stop()
  })

  const send = (method: string, path: string, body?: Buffer | string, headers: Record<string, string> = {}) =>
    ask(server.url, { method, path, body, headers: { ...json, ...bearer(server.tokens.admin), ...headers } })
  async function must(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await send(method, path, body && JSON.stringify(body))
    expect(answer).toMatchObject({ status: 200 })
    return answer.body
  }
  /** Everything that the server keeps, as it tells it; tokens without their last use. */
  async function everything(): Promise<unknown> {
    const filter = encodeURIComponent("tags.`mlflow.prompt.is_prompt` = 'true'")
    const { tokens } = (await must('GET', `${OWN}/tokens`)) as { tokens: { last_used_at?: number }[] }
    return [
      tokens.map(({ last_used_at: _, ...token }) => token),
      await must('GET', `${MLFLOW}/registered-models/search?filter=${filter}`),
      await must('GET', `${MLFLOW}/registered-models/search`),
      await must('GET', `${MLFLOW}/model-versions/search?filter=${filter}`),
      await must('GET', `${MLFLOW}/experiments/search?max_results=100`),
      await must('POST', `${MLFLOW}/runs/search`, { experiment_ids: [known.experiment] }),
    ]
  }
  function tellsNothing(answer: Answer): void {
    expect(answer.status).toBeLessThan(500)
    expect(JSON.stringify(answer.body)).not.toMatch(INSIDE)
  }

  it('a megabyte of garbage at every route breaks and changes nothing, with a token and without', async () => {
    const before = await everything()
    // The same handlers again under /ajax-api: one kind will do.
    for (const { method, path, permission } of PATHS)
      for (const { body, type } of path.startsWith('/ajax-api') ? GARBAGE.slice(1, 2) : GARBAGE) {
        const stranger = { 'content-type': type, authorization: '' }
        const refused = await send(method, path, body, stranger)
        if (permission !== 'open') expect({ path, status: refused.status }).toEqual({ path, status: 401 })
        tellsNothing(refused)
        tellsNothing(await send(method, path, body, { 'content-type': type }))
      }
    expect(await everything()).toEqual(before)
  }, 120_000)

  it.each(ROUTES)(
    '$method $path takes SQL and control characters for what they are',
    async (route) => {
      const isRead = PERMISSIONS.get(`${route.method} ${route.path}`) === 'read'
      let before = await everything()
      for (const text of [...SQL, ...CONTROLS])
        for (const body of bodiesWith(route, text)) {
          const answer = await send(route.method, route.path, JSON.stringify(body))
          tellsNothing(answer)
          // What is taken may be kept; what is refused, and what only reads, may not.
          if (answer.status === 200 && !isRead) before = await everything()
        }
      expect(await everything()).toEqual(before)
      // The tables are there, and no other row was met.
      await must('GET', `${MLFLOW}/registered-models/alias?name=${known.name}&alias=${known.alias}`)
      expect(await must('GET', `${OWN}/whoami`)).toMatchObject({ actor: 'admin' })
    },
    60_000,
  )

  /** What the route would take, with one field of text that holds this. The known prompt itself stays as it is. */
  function bodiesWith({ method, path, fields }: Route, text: string): object[] {
    const removes = method === 'DELETE' || /rename|delete|tokens/.test(path)
    const valid = Object.fromEntries(
      Object.entries(fields).flatMap(([name, field]) => (field.valid ? [[name, field.valid(known)]] : [])),
    )
    return fieldsOf({ method, path, fields })
      .filter(([, { kind }]) => kind === 'text' || kind === 'texts' || kind === 'pairs')
      .map(([name, { kind }]) => ({
        ...valid,
        ...(removes && 'name' in valid && { name: 'nobody' }),
        [name]: kind === 'text' ? text : kind === 'texts' ? [text] : [{ key: text, value: text }],
      }))
  }

  it('paths that climb, or are almost a route, answer nobody', async () => {
    const before = await everything()
    const climbs = [
      '/../../../../etc/passwd',
      `${OWN}/../../../../etc/passwd`,
      '/..%2f..%2f..%2fetc%2fpasswd',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/..\\..\\windows\\win.ini',
      '/docs/../../package.json',
      '/registry.db',
      '//etc/passwd',
      '/%00',
      '/%ff%fe',
      '/%',
      'http://evil.example/',
      '*',
    ]
    const almost = [
      '/tokens/',
      '//tokens',
      '/TOKENS',
      '/tokens;x',
      '/tokens%20',
      '/tokens%2f',
      '/./tokens/.',
      '/tokens%00',
    ]
    for (const path of [...climbs, ...almost.map((end) => `${OWN}${end}`)]) {
      const answer = await raw(`GET ${path} HTTP/1.1`)
      expect({ path, answer: answer.slice(0, 12) }).toMatchObject({
        answer: expect.stringMatching(/^HTTP\/1\.1 (400|401|403|404|405)/),
      })
      expect(answer).not.toMatch(INSIDE)
      expect(answer).not.toMatch(/root:|"tokens"|"workspaces"/)
    }
    // The router reads an escaped path as the plain one, and so does the table of permissions.
    expect(await raw(`GET ${OWN}/%74okens HTTP/1.1`)).toMatch(/^HTTP\/1\.1 401/)
    expect(await raw(`POST ${OWN}/%73eed HTTP/1.1`)).toMatch(/^HTTP\/1\.1 401/)
    expect(await everything()).toEqual(before)
  })

  it('headers that are too long, doubled or no text change nothing', async () => {
    for (const head of [
      `Authorization: Bearer ${'x'.repeat(100_000)}`,
      'Authorization: Bearer \xff\xfe',
      `Authorization: Bearer nonsense\r\nAuthorization: Bearer ${server.tokens.admin}`,
      'Content-Length: -1',
      'Content-Length: 5\r\nTransfer-Encoding: chunked',
      'X-Correlation-Id: \x01',
    ])
      expect(await raw(`POST ${OWN}/seed HTTP/1.1`, head)).toMatch(/^HTTP\/1\.1 4\d\d/)
  })

  /** One request as its bytes, without credentials. */
  async function raw(line: string, head = 'X-None: 1'): Promise<string> {
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname).on('error', () => {})
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    socket.end(Buffer.from(`${line}\r\nHost: localhost\r\nConnection: close\r\n${head}\r\n\r\n`, 'latin1'))
    await once(socket, 'close')
    return answer
  }
})
