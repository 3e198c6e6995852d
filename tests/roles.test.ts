import { ROLES, type Role, silent } from '@promptkeep/client/protocol'
import { createApp, openStore } from '@promptkeep/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MAY, PERMISSIONS, type Permission } from '../packages/server/src/auth/permissions.ts'
import { makeToken } from '../packages/server/src/auth/token.ts'
import { type Answer, ask } from './support/ask.ts'
import { fieldsOf, ROUTES } from './support/registry-routes.ts'
import { basic, bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

const OWN = '/api/promptkeep/1.0'
const MLFLOW = '/api/2.0/mlflow'
const json = { 'content-type': 'application/json' }
const rows = [...PERMISSIONS].map(([route, permission]) => {
  const [method = '', path = ''] = route.split(' ')
  return { route, method, path, permission }
})

let server: TokenRegistry
/** What the routes may find. */
const known = { name: 'known', model: 'plain', alias: 'production', version: '1', run: '', experiment: '' }
let callers = 0

beforeAll(async () => {
  server = await startTokenRegistry({
    TRUST_PROXY: '1',
    RATE_LIMIT_PER_ADDRESS: '0',
    RATE_LIMIT_PER_TOKEN: '0',
  })
  const post = async (path: string, body: object) => {
    const answer = await send('POST', path, bearer(server.tokens.admin), JSON.stringify(body))
    expect(answer.status).toBe(200)
    return answer.body
  }
  await post(`${OWN}/seed`, { name: known.name, alias: known.alias, template: 'Hi' })
  await post(`${MLFLOW}/registered-models/create`, { name: known.model })
  const made = await post(`${MLFLOW}/experiments/create`, { name: 'evals' })
  known.experiment = (made as { experiment_id: string }).experiment_id
  const run = await post(`${MLFLOW}/runs/create`, { experiment_id: known.experiment })
  known.run = (run as { run: { info: { run_id: string } } }).run.info.run_id
})
afterAll(() => server?.stop())

/** Each from an address of its own: who guesses is locked out, and that is told elsewhere. */
function send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  const n = callers++
  const from = `198.${51 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`
  return ask(server.url, { method, path, body, headers: { ...json, 'x-forwarded-for': from, ...headers } })
}

/** A body that the route would take, where it is known what that is. */
function validBody(method: string, path: string): string | undefined {
  const route = ROUTES.find(
    (one) => one.method === method && one.path === path.replace(/^\/ajax-api/, '/api'),
  )
  if (!route) return method === 'GET' ? undefined : '{}'
  const fields = fieldsOf(route).flatMap(([name, { valid }]) => (valid ? [[name, valid(known)]] : []))
  return JSON.stringify(Object.fromEntries(fields))
}

/** Everything that could have been changed. */
async function everything(): Promise<unknown> {
  const admin = bearer(server.tokens.admin)
  const filter = encodeURIComponent("tags.`mlflow.prompt.is_prompt` = 'true'")
  const answers = await Promise.all([
    send('GET', `${MLFLOW}/registered-models/search?filter=${filter}`, admin),
    send('GET', `${MLFLOW}/model-versions/search?filter=${filter}`, admin),
    send('GET', `${MLFLOW}/registered-models/search`, admin),
    send('GET', `${OWN}/changes?prompt=${known.name}`, admin),
    send('GET', `${MLFLOW}/experiments/search?max_results=100`, admin),
    send('POST', `${MLFLOW}/runs/search`, admin, `{"experiment_ids":["${known.experiment}"]}`),
  ])
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
  return answers.map(({ body }) => body)
}

async function appRoutes(): Promise<string[]> {
  const store = await openStore('sqlite::memory:')
  const app = createApp({ store, log: silent, newId: () => 'id', elapsedMs: () => 0, random: () => 0 })
  await store.close()
  const routes = app.routes.filter(({ method }) => method !== 'ALL')
  return [...new Set(routes.map(({ method, path }) => `${method} ${path}`))]
}

describe('the table of permissions', () => {
  it('has a row for every route', async () => {
    expect((await appRoutes()).filter((route) => !PERMISSIONS.has(route))).toEqual([])
  })
  it('has a route for every row', async () => {
    const routes = new Set(await appRoutes())
    expect(rows.map(({ route }) => route).filter((route) => !routes.has(route))).toEqual([])
  })
  it('knows every route whose fields are known', () => {
    expect(ROUTES.filter(({ method, path }) => !PERMISSIONS.has(`${method} ${path}`))).toEqual([])
  })
  it('opens only what tells nothing', () => {
    const open = rows.filter(({ permission }) => permission === 'open').map(({ route }) => route)
    expect(open.sort()).toEqual(
      [
        'GET /ajax-api/3.0/mlflow/server-info',
        `GET ${OWN}/docs`,
        `GET ${OWN}/openapi.json`,
        'GET /api/3.0/mlflow/server-info',
        'GET /health',
        'GET /ready',
        'GET /version',
      ].sort(),
    )
  })
  it('lets nobody write by GET', () => {
    const writes: Permission[] = ['write', 'move', 'evaluate']
    expect(rows.filter(({ method, permission }) => method === 'GET' && writes.includes(permission))).toEqual(
      [],
    )
  })
  it('lets only an admin manage tokens and policies, and only evaluators and admins write evidence', () => {
    expect(MAY.admin).toEqual(['admin'])
    expect(MAY.evaluate).toEqual(['evaluator', 'admin'])
    for (const roles of Object.values(MAY)) expect(roles).toContain('admin')
  })
})

describe.each(rows.filter(({ permission }) => permission !== 'open'))('$route', (row) => {
  const { method, path } = row
  const mayUse = MAY[row.permission as Exclude<Permission, 'open'>] as readonly Role[]
  const refusedRoles = ROLES.filter((role) => !mayUse.includes(role))

  it('refuses no token, and every wrong one, before it reads the body', async () => {
    const good = server.tokens.admin
    const strangers: Record<string, Record<string, string>> = {
      none: {},
      unknown: bearer(makeToken().text),
      'a wrong secret': bearer(`${good.slice(0, -43)}${makeToken().secret}`),
      'the secret of another': bearer(`${good.slice(0, -43)}${server.tokens.reader.slice(-43)}`),
      'cut short': bearer(good.slice(0, -1)),
      'with more': bearer(`${good}a`),
      'upper case': bearer(good.toUpperCase()),
      'no text': bearer(''),
      nonsense: { authorization: 'nonsense' },
      'another scheme': { authorization: `Token ${good}` },
      'Basic, wrong': basic('admin', makeToken().text),
      'Basic, as the user': basic(good, ''),
      'Basic, nonsense': { authorization: 'Basic %%%' },
      'a cookie': { cookie: `token=${good}` },
    }
    const answers = new Map<string, unknown>()
    for (const [kind, headers] of Object.entries(strangers)) {
      const { status, headers: said, body } = await send(method, path, headers, '{"broken')
      answers.set(kind, { status, asks: said['www-authenticate'], body })
    }
    const [first] = answers.values()
    expect(first).toMatchObject({
      status: 401,
      asks: 'Basic realm="promptkeep"',
      body: { error_code: 'UNAUTHENTICATED', message: expect.stringContaining('MLFLOW_TRACKING_TOKEN') },
    })
    // The same for all, to the letter: which it was is not told.
    expect([...answers].filter(([, answer]) => JSON.stringify(answer) !== JSON.stringify(first))).toEqual([])
  })
  it('tells who has the secret of a token that is over what became of it', async () => {
    for (const credentials of [bearer(server.revoked), basic('any', server.revoked)])
      expect(await send(method, path, credentials, '{}')).toMatchObject({
        status: 401,
        body: {
          error_code: 'UNAUTHENTICATED',
          message: expect.stringContaining('revoked was revoked at 20'),
        },
      })
    expect(await send(method, path, bearer(server.expired), '{}')).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="promptkeep"' },
      body: { error_code: 'UNAUTHENTICATED', message: expect.stringContaining('expired expired at 20') },
    })
  })
  if (refusedRoles.length > 0)
    it(`refuses ${refusedRoles.join(', ')}, names who may, and does nothing`, async () => {
      const before = await everything()
      for (const role of refusedRoles)
        for (const credentials of [bearer(server.tokens[role]), basic('me', server.tokens[role])])
          for (const body of [validBody(method, path), '{"broken']) {
            const answer = await send(method, path, credentials, body)
            expect({ role, ...answer }).toMatchObject({
              status: 403,
              body: { error_code: 'PERMISSION_DENIED' },
            })
            const { message } = answer.body as { message: string }
            for (const allowed of mayUse) expect(message).toContain(allowed)
            expect(message).toContain(`the token ${role} has the role ${role}`)
          }
      expect(await everything()).toEqual(before)
    })
  it(`lets ${mayUse.join(', ')} through`, async () => {
    for (const role of mayUse) {
      // What is refused further in is refused for what it says, not for who says it.
      const answer = await send(
        method,
        path,
        bearer(server.tokens[role]),
        method === 'GET' ? undefined : '{}',
      )
      expect([200, 400, 404]).toContain(answer.status)
      expect(answer.body).not.toMatchObject({ error_code: 'ENDPOINT_NOT_FOUND' })
    }
  })
})

it('a token with two roles may what either may, and no more', async () => {
  const made = await send(
    'POST',
    `${OWN}/tokens`,
    bearer(server.tokens.admin),
    JSON.stringify({ name: 'two-roles', roles: ['promoter', 'evaluator', 'promoter'] }),
  )
  expect(made.body).toMatchObject({ roles: ['evaluator', 'promoter'] })
  const both = bearer((made.body as { token: string }).token)
  const status = async (path: string) => (await send('POST', path, both, '{}')).status
  expect(await status(`${OWN}/alias`)).toBe(400)
  expect(await status(`${MLFLOW}/runs/create`)).toBe(400)
  expect(await status(`${OWN}/seed`)).toBe(403)
  expect(await status(`${OWN}/tokens`)).toBe(403)
})

describe('what is open', () => {
  it.each(rows.filter(({ permission }) => permission === 'open'))(
    '$route asks for nothing',
    async ({ method, path }) => {
      for (const headers of [{}, bearer(makeToken().text), bearer(server.revoked)])
        expect(await send(method, path, headers)).toMatchObject({ status: 200 })
    },
  )
  it('what is no route answers as if it were, to nobody', async () => {
    expect(await send('GET', `${OWN}/nothing`, {})).toMatchObject({ status: 404 })
    expect(await send('PUT', `${OWN}/alias`, {})).toMatchObject({ status: 405 })
    expect(await send('OPTIONS', `${OWN}/alias`, {})).toMatchObject({ status: 204 })
    expect(await send('HEAD', `${OWN}/whoami`, {})).toMatchObject({ status: 401 })
  })
})
