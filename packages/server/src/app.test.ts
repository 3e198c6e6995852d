import { silent } from '@promptkeep/client/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createApp } from './app.ts'
import { openStore } from './store/open-store.ts'
import type { Store } from './store/store.ts'

let store: Store
beforeEach(async () => {
  store = await openStore('sqlite::memory:')
})
afterEach(() => store.close())

const appWith = (parts: Partial<Store>, log = silent) =>
  createApp({ store: { ...store, ...parts }, log, newId: () => 'id-1', elapsedMs: () => 0, random: () => 0 })

describe('createApp', () => {
  it('answers liveness, version and readiness', async () => {
    const app = appWith({})
    expect(await (await app.request('/health')).text()).toBe('OK')
    expect(await (await app.request('/version')).text()).toBe('3.17.2')
    expect(await (await app.request('/ready')).json()).toMatchObject({ status: 'ready', database: 'ok' })
  })

  it('is alive but not ready while the database does not answer', async () => {
    const app = appWith({ ping: () => Promise.reject(new Error('connection refused')) })
    const ready = await app.request('/ready')
    expect(ready.status).toBe(503)
    expect(await ready.json()).toMatchObject({ status: 'unavailable', database: 'does not answer' })
    expect((await app.request('/health')).status).toBe(200)
  })

  it('tells of a failure only its correlation id, and the log everything', async () => {
    const logged: [object, string][] = []
    const log = { ...silent, error: (fields: object, event: string) => void logged.push([fields, event]) }
    const prompts = {
      ...store.prompts,
      get: () => Promise.reject(new Error('disk I/O error in /var/secret.db')),
    }
    const answer = await appWith({ prompts }, log).request('/api/2.0/mlflow/registered-models/get?name=a')
    expect(answer.status).toBe(500)
    expect(await answer.json()).toEqual({
      error_code: 'INTERNAL_ERROR',
      message: 'The server failed; its log has the cause under correlation id id-1.',
      sqlstate: 'XXM00',
      error_class: 'INTERNAL_ERROR',
    })
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(logged).toMatchObject([
      [{ correlationId: 'id-1', err: { message: 'disk I/O error in /var/secret.db' } }, 'request.failed'],
    ])
  })

  it('speaks to the UI under /ajax-api as under /api', async () => {
    const app = appWith({})
    const headers = { 'content-type': 'application/json' }
    const body = '{"name":"a"}'
    await app.request('/ajax-api/2.0/mlflow/registered-models/create', { method: 'POST', headers, body })
    expect((await app.request('/api/2.0/mlflow/registered-models/get?name=a')).status).toBe(200)
  })

  it('does not answer for a workspace: it has none', async () => {
    const headers = { 'x-mlflow-workspace': 'team' }
    const answer = await appWith({}).request('/api/2.0/mlflow/registered-models/search', { headers })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error_code: 'FEATURE_DISABLED' })
  })
})
