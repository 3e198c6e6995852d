import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CuttingProxy {
  /** In front of the server. */
  readonly url: string
  /** Ends every connection that is open. */
  cut(): void
  /** Requests that hold this are not passed on, but answered so, or never; `undefined` ends that. */
  answer(fault: Fault | undefined): void
  stop(): Promise<void>
}

interface Fault {
  readonly path: string
  readonly with: string | 'silence'
}

/** A TCP proxy on a free port whose connections can be cut while they are used. */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target)
  const open = new Set<Socket>()
  let fault: Fault | undefined
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
      socket.on('error', () => {})
    }
    client.on('data', (bytes: Buffer) => {
      if (!fault || !bytes.includes(fault.path)) upstream.write(bytes)
      else if (fault.with !== 'silence') client.end(fault.with)
    })
    upstream.on('data', (bytes: Buffer) => client.write(bytes))
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    answer(next) {
      fault = next
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}
