import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createMlflowTransport } from './mlflow.ts'
import { TAG } from './wire-keys.ts'
import { versionTags } from './wire-tags.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

/** A real server on a loopback port that does what a test says, and a transport to it. */
async function serve(handler: Handler, options: { env?: Record<string, string>; path?: string } = {}) {
  const requests: { line: string; headers: IncomingMessage['headers']; body: string }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      requests.push({ line: `${request.method} ${request.url}`, headers: request.headers, body })
      handler(request, response, body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections()
      server.close(() => resolve())
    })
  onTestFinished(stop)
  const trackingUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}${options.path ?? ''}`
  const transport = createMlflowTransport({ trackingUri, env: options.env ?? {}, random: () => 0 })
  return { transport, requests, stop, trackingUri }
}

const json = (response: ServerResponse, status: number, body: unknown, headers = {}) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

const modelVersion = async (template = 'text') => ({
  model_version: {
    name: 'memory',
    version: '1',
    creation_timestamp: 1,
    tags: Object.entries(await versionTags({ template })).map(([key, value]) => ({ key, value })),
  },
})

describe('faults of a real socket', () => {
  it('a server that never answers is TIMEOUT, at the deadline', async () => {
    const { transport, trackingUri } = await serve(() => {})
    await expect(transport.findByAlias('memory', 'a', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: `${trackingUri} did not answer within 50 ms`,
    })
  })

  it('a body that never ends is TIMEOUT', async () => {
    const { transport } = await serve((_, response) => response.writeHead(200).write('{"model_version":'))
    await expect(transport.findByAlias('memory', 'a', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
  })

  it('a server that hangs up is asked again, four times in all, then UNAVAILABLE', async () => {
    const { transport, requests } = await serve((request) => request.socket.destroy())
    await expect(transport.findByAlias('memory', 'a')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/cannot be reached \(\w+/),
    })
    expect(requests).toHaveLength(4)
  })

  it('a refused connection is UNAVAILABLE, and says so', async () => {
    const { transport, stop } = await serve(() => {})
    await stop()
    await expect(transport.findByAlias('memory', 'a')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  it.each([500, 502, 503, 504, 429, 408])('HTTP %i is tried again and heals', async (status) => {
    const answer = await modelVersion()
    let count = 0
    const { transport } = await serve((_, response) =>
      json(response, ++count < 3 ? status : 200, count < 3 ? {} : answer),
    )
    expect(await transport.findByAlias('memory', 'a')).toMatchObject({ version: 1 })
    expect(count).toBe(3)
  })

  it.each([400, 401, 403, 404, 501])('HTTP %i is not tried again', async (status) => {
    const { transport, requests } = await serve((_, response) => json(response, status, {}))
    await expect(transport.findByAlias('memory', 'a')).rejects.toMatchObject({ status })
    expect(requests).toHaveLength(1)
  })

  it('a wait that the deadline has no room for is not begun', async () => {
    const { transport, requests } = await serve((_, response) =>
      json(response, 503, {}, { 'retry-after': '60' }),
    )
    await expect(transport.findByAlias('memory', 'a')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      status: 503,
    })
    expect(requests).toHaveLength(1)
  })

  it.each([
    ['HTML', '<html>Log in</html>', 'text/html'],
    ['half a JSON', '{"model_version": {', 'application/json'],
    ['nothing', '', 'application/json'],
    ['a list', '[]', 'application/json'],
    ['another shape', '{"model_version": {"name": 5}}', 'application/json'],
    ['null', 'null', 'application/json'],
  ])('an answer that is %s is UNAVAILABLE', async (_, body, type) => {
    const { transport } = await serve((_, response) =>
      response.writeHead(200, { 'content-type': type }).end(body),
    )
    await expect(transport.findByAlias('memory', 'a')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('a wrong address is UNAVAILABLE for every call, and says what to check', async () => {
    const { transport } = await serve((_, response) => response.writeHead(404).end('<html>'))
    const says = { code: 'UNAVAILABLE', message: expect.stringContaining('check the tracking URI') }
    await expect(transport.findByAlias('memory', 'a')).rejects.toMatchObject(says)
    await expect(transport.capabilities()).rejects.toMatchObject(says)
    await expect(transport.register({ name: 'memory', template: 'x' })).rejects.toMatchObject(says)
  })
})

describe('requests', () => {
  it('a look-up by alias is one GET, with credentials and workspace, below the path of the address', async () => {
    const answer = await modelVersion()
    const env = {
      MLFLOW_TRACKING_USERNAME: 'ada',
      MLFLOW_TRACKING_PASSWORD: 'secret',
      MLFLOW_WORKSPACE: 'blue',
    }
    const { transport, requests } = await serve((_, response) => json(response, 200, answer), {
      env,
      path: '/base/',
    })
    await transport.findByAlias('memory', 'é')
    expect(requests.map(({ line }) => line)).toEqual([
      'GET /base/api/2.0/mlflow/registered-models/alias?name=memory&alias=%C3%A9',
    ])
    expect(requests[0]?.headers).toMatchObject({
      authorization: 'Basic YWRhOnNlY3JldA==',
      'x-mlflow-workspace': 'blue',
    })
  })

  it('no error repeats a credential', async () => {
    const env = { MLFLOW_TRACKING_TOKEN: 'secret-token' }
    const { transport } = await serve((_, response) => json(response, 401, { message: 'no' }), { env })
    const error = await transport.findByAlias('memory', 'a').catch((e: Error) => e)
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(JSON.stringify([String(error), error])).not.toContain('secret')
  })

  it('a registration whose answer was lost is found by its request id, and not made twice', async () => {
    const answer = await modelVersion()
    let created = 0
    let requestId = ''
    const { transport, requests } = await serve((request, response, body) => {
      if (request.url?.includes('model-versions/create')) {
        created++
        requestId = JSON.parse(body).tags.find((tag: { key: string }) => tag.key === TAG.requestId).value
        return request.socket.destroy() // it was made, and nobody heard
      }
      if (request.url?.includes('model-versions/search')) {
        const isAskedFor = decodeURIComponent(request.url).includes(requestId)
        return json(response, 200, isAskedFor ? { model_versions: [answer.model_version] } : {})
      }
      json(response, 200, {
        registered_model: { name: 'memory', tags: [{ key: TAG.isPrompt, value: 'true' }] },
      })
    })
    expect(await transport.register({ name: 'memory', template: 'text' })).toMatchObject({ version: 1 })
    expect(created).toBe(1)
    expect(requestId).toMatch(/^[0-9a-f-]{36}$/)
    expect(requests.filter(({ line }) => line.includes('search'))).toHaveLength(1)
  })

  it('a registration that was lost on its way is sent again under the same id', async () => {
    const answer = await modelVersion()
    const ids: string[] = []
    const { transport } = await serve((request, response, body) => {
      if (request.url?.includes('model-versions/create')) {
        ids.push(JSON.parse(body).tags.find((tag: { key: string }) => tag.key === TAG.requestId).value)
        return ids.length === 1 ? json(response, 503, {}) : json(response, 200, answer)
      }
      if (request.url?.includes('search')) return json(response, 200, {})
      json(response, 200, {
        registered_model: { name: 'memory', tags: [{ key: TAG.isPrompt, value: 'true' }] },
      })
    })
    await transport.register({ name: 'memory', template: 'text' })
    expect(ids).toHaveLength(2)
    expect(ids[0]).toBe(ids[1])
  })

  it('a compared move whose answer was lost is sent again under the same id', async () => {
    const ids: string[] = []
    const { transport } = await serve((request, response, body) => {
      if (request.url?.endsWith('/capabilities')) {
        return json(response, 200, {
          server: 'promptkeep',
          version: '1',
          seed: true,
          compare_and_set: true,
          history: true,
        })
      }
      ids.push(JSON.parse(body).request_id)
      if (ids.length === 1) return request.socket.destroy() // it was made, and nobody heard
      const change = { kind: 'alias.moved', prompt: 'memory', alias: 'a', from: 1, to: 2, at: 1 }
      json(response, 200, { change })
    })
    const move = { name: 'memory', alias: 'a', to: 2, expected: 1 }
    expect(await transport.moveAlias(move)).toMatchObject({ from: 1, to: 2 })
    expect(await transport.moveAlias(move)).toMatchObject({ from: 1, to: 2 })
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/)
    expect([ids[1] === ids[0], ids[2] === ids[0]]).toEqual([true, false])
  })

  it('capabilities are asked for once, and again after an outage', async () => {
    let asked = 0
    let isDown = false
    const { transport } = await serve((request, response) => {
      if (isDown) return request.socket.destroy()
      if (request.url?.endsWith('/capabilities')) {
        asked++
        return json(response, 404, {})
      }
      response.writeHead(200, { 'content-type': 'text/html' }).end('3.17.2')
    })
    const no = { seed: false, compareAndSet: false, history: false, live: false, fleet: false }
    const stock = { server: 'mlflow', version: '3.17.2', ...no }
    expect([await transport.capabilities(), await transport.capabilities()]).toEqual([stock, stock])
    expect(asked).toBe(1)
    isDown = true
    await expect(transport.find('memory')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    isDown = false
    await transport.capabilities()
    expect(asked).toBe(2)
  })
})
