import { silent } from '@promptkeep/client/protocol'
import { Hono } from 'hono'
import { expect, it } from 'vitest'
import type { ServerEnv } from '../env.ts'
import { onError } from '../on-error.ts'
import { timeOut } from './time-out.ts'

const app = (timeoutMs: number, failed: unknown[] = []) => {
  const hono = new Hono<ServerEnv>()
  hono.onError(onError({ ...silent, error: (fields) => void failed.push(fields) }))
  hono.use(timeOut(timeoutMs))
  let release = (_: Error | undefined) => {}
  const held = new Promise<Error | undefined>((resolve) => {
    release = resolve
  })
  hono.get('/slow', async (c) => {
    const error = await held
    if (error) throw error
    return c.text('late')
  })
  hono.get('/quick', (c) => c.text('quick'))
  hono.get('/wrong', () => {
    throw new Error('wrong')
  })
  return { hono, release }
}

it('answers 503 for a handler that takes too long, whatever becomes of it', async () => {
  for (const end of [undefined, new Error('late, too')]) {
    const failed: unknown[] = []
    const { hono, release } = app(20, failed)
    const answer = await hono.request('/slow')
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await answer.json()).toMatchObject({
      error_code: 'TEMPORARILY_UNAVAILABLE',
      message: expect.stringContaining('longer than 0.02 s (REQUEST_TIMEOUT_MS)'),
    })
    release(end)
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(failed).toHaveLength(end ? 1 : 0) // what fails late is logged all the same
  }
})

it('leaves the others alone, and all of them when it is off', async () => {
  expect(await (await app(10_000).hono.request('/quick')).text()).toBe('quick')
  expect((await app(10_000).hono.request('/wrong')).status).toBe(500)
  const { hono, release } = app(0)
  const answer = hono.request('/slow')
  setTimeout(release, 30)
  expect(await (await answer).text()).toBe('late')
})
