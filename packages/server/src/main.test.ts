import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silent } from '@promptkeep/client/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'
import { type RunningServer, StartError, start } from './main.ts'

let dir: string
const running: RunningServer[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'promptkeep-main-'))
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
  await rm(dir, { recursive: true, force: true })
})

async function started(env: Record<string, string> = {}): Promise<RunningServer> {
  const defaults = { PORT: '0', DATABASE_URL: `sqlite:${join(dir, 'registry.db')}` }
  const server = await start(readConfig({ ...defaults, ...env }), silent)
  running.push(server)
  return server
}
const portOf = ({ url }: RunningServer) => Number(new URL(url).port)
const isListening = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

describe('start', () => {
  it('listens on a free port when it is asked for port 0, and says where', async () => {
    const server = await started()
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
    expect(await (await fetch(`${server.url}/health`)).text()).toBe('OK')
  })
  it('listens on loopback of IPv6 too', async () => {
    const server = await started({ HOST: '::1' }).catch((error: StartError) => error)
    if (server instanceof StartError) return expect(server.message).toMatch(/EADDRNOTAVAIL|EAFNOSUPPORT/) // a machine without IPv6
    expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect((await fetch(`${server.url}/ready`)).status).toBe(200)
  })
  it('keeps what was written when it starts again', async () => {
    const first = await started()
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ name: 'kept' })
    await fetch(`${first.url}/api/2.0/mlflow/registered-models/create`, { method: 'POST', headers, body })
    await first.stop()
    const second = await started()
    expect((await fetch(`${second.url}/api/2.0/mlflow/registered-models/get?name=kept`)).status).toBe(200)
  })
  it('says that a port is taken, and leaves the database closed', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    await expect(started({ PORT: String(port) })).rejects.toThrow(
      new StartError(
        `Cannot listen on 127.0.0.1:${port}: something else listens there; stop it, or choose another port with PORT`,
      ),
    )
    other.close()
    await once(other, 'close')
    expect((await started({ PORT: String(port) })).url).toContain(String(port))
  })
  it('says that a folder cannot be made', async () => {
    await writeFile(join(dir, 'file'), '')
    await expect(
      started({ DATABASE_URL: `sqlite:${join(dir, 'file', 'registry.db')}` }),
    ).rejects.toMatchObject({
      code: 'CANNOT_OPEN',
      message: expect.stringContaining(join(dir, 'file')),
    })
  })
  it.skipIf(process.getuid?.() === 0)(
    'says that a folder cannot be written to (root can write anywhere)',
    async () => {
      await chmod(dir, 0o500)
      await expect(started()).rejects.toMatchObject({ code: 'CANNOT_OPEN' })
      await chmod(dir, 0o700)
    },
  )
})

describe('stop', () => {
  it('frees the port although a client keeps its connection alive', async () => {
    const server = await started({ SHUTDOWN_GRACE_MS: '60000' })
    const agent = new Agent({ keepAlive: true, keepAliveMsecs: 60_000 })
    const [answer] = await once(get(`${server.url}/health`, { agent }), 'response')
    answer.resume()
    await once(answer, 'end')
    await server.stop() // within the test's own time limit: the grace would be a minute
    expect(await isListening(portOf(server))).toBe(false)
    agent.destroy()
  })
  it('is not held by a connection on which nothing was ever sent', async () => {
    const server = await started({ SHUTDOWN_GRACE_MS: '60000' })
    const socket = connect(portOf(server), '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    await Promise.all([once(socket, 'close'), server.stop()])
  })

  it('lets a request that runs finish', async () => {
    const server = await started()
    const body = JSON.stringify({ name: 'late' })
    const socket = connect(portOf(server), '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => {
      answer += String(chunk)
    })
    const head = `POST /api/2.0/mlflow/registered-models/create HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`
    socket.write(head + body.slice(0, 5))
    await fetch(`${server.url}/health`) // answered, so the half request has arrived too
    const stopped = server.stop()
    socket.write(body.slice(5))
    await once(socket, 'close')
    await stopped
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*"name":"late"/s)
  })
  it('cuts off a request that outlasts the grace', async () => {
    const server = await started({ SHUTDOWN_GRACE_MS: '0' })
    const socket = connect(portOf(server), '127.0.0.1').on('error', () => {})
    socket.write(
      'POST /api/2.0/mlflow/registered-models/create HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    )
    await fetch(`${server.url}/health`)
    const closed = once(socket, 'close')
    await server.stop()
    await closed
  })
  it('may be called twice', async () => {
    const server = await started()
    await Promise.all([server.stop(), server.stop()])
    expect(await isListening(portOf(server))).toBe(false)
  })
})
