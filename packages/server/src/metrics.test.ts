import { silent } from '@promptkeep/client/protocol'
import { expect, it, onTestFinished } from 'vitest'
import { createApp } from './app.ts'
import { createMetrics } from './metrics.ts'
import { openStore } from './store/open-store.ts'

async function served() {
  const store = await openStore('sqlite::memory:')
  onTestFinished(() => store.close())
  let ms = 0
  const elapsedMs = () => ++ms
  const deps = { store, log: silent, elapsedMs }
  const metrics = createMetrics(deps)
  const app = createApp({ ...deps, newId: () => 'id', random: () => 0, metrics })
  const post = (path: string, body: object) =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const scrape = async () => {
    const answer = await app.request('/metrics')
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    return answer.text()
  }
  return { store, app, post, scrape, metrics }
}

/** The value of a sample, by its name with labels. */
const sampleOf = (text: string, name: string) =>
  text
    .split('\n')
    .find((line) => line.startsWith(`${name} `))
    ?.split(' ')[1]

it('count requests by route, method and class of status, and no path that a caller made up', async () => {
  const { app, post, scrape } = await served()
  const create = (name: string, base = '') =>
    post(`/${base}api/2.0/mlflow/registered-models/create`, { name })
  await create('secret-name')
  await create('other', 'ajax-')
  await create('secret-name')
  for (const path of ['/secret-path', '/wp-login.php?x=1', '/api/2.0/mlflow/registered-models/nope'])
    await app.request(path)
  await app.request('/health', { method: 'PROPFIND' })
  const text = await scrape()
  const count = (labels: string) =>
    sampleOf(text, `promptkeep_http_request_duration_seconds_count{${labels}}`)
  const route = 'route="/api/2.0/mlflow/registered-models/create",method="POST"'
  expect([count(`${route},status="2xx"`), count(`${route},status="4xx"`)]).toEqual(['2', '1'])
  expect(count('route="none",method="other",status="4xx"')).toBe('4')
  expect(text).not.toMatch(/secret|wp-login|PROPFIND/)
  expect(sampleOf(text, 'promptkeep_http_refused_total{reason="unauthenticated"}')).toBe('0')
})

it('count changes by kind, each once, also of those that scrape at the same time', async () => {
  const { post, scrape } = await served()
  await scrape()
  const seed = { name: 'memory', alias: 'production', template: 'Hi' }
  await post('/api/promptkeep/1.0/seed', seed)
  await post('/api/promptkeep/1.0/alias', { name: 'memory', alias: 'b', version: 1 })
  await Promise.all([scrape(), scrape(), scrape()])
  const text = await scrape()
  expect(sampleOf(text, 'promptkeep_changes_total{kind="version.registered"}')).toBe('1')
  expect(sampleOf(text, 'promptkeep_changes_total{kind="alias.moved"}')).toBe('2')
  expect(sampleOf(text, 'promptkeep_change_seq')).toBe('3')
  expect(sampleOf(text, 'promptkeep_database_up')).toBe('1')
  expect(text).toMatch(/^promptkeep_build_info\{version="\d+\.\d+\.\d+",node="v\d+/m)
})

it('tell of a database that does not answer, instead of failing', async () => {
  const { store, scrape } = await served()
  await scrape()
  await store.close()
  const text = await scrape()
  expect(sampleOf(text, 'promptkeep_database_up')).toBe('0')
  expect(sampleOf(text, 'promptkeep_change_seq')).toBe('0')
})

it('count streams', async () => {
  const { metrics, scrape } = await served()
  metrics.streamOpened()
  metrics.streamOpened()
  metrics.streamClosed('slow')
  const text = await scrape()
  expect(sampleOf(text, 'promptkeep_streams_open')).toBe('1')
  expect(sampleOf(text, 'promptkeep_streams_closed_total{reason="slow"}')).toBe('1')
})
