import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'

export interface Worker {
  readonly url: string
  stop(): Promise<void>
}

/**
 * Starts workerd with one module worker, without `nodejs_compat`: it has the web's globals and nothing of Node.
 *
 * @param file - The workerd binary.
 * @param code - The worker's whole source.
 * @param dir - A folder for it and its configuration.
 */
export async function startWorker(file: string, code: string, dir: string): Promise<Worker> {
  const port = await freePort()
  await writeFile(join(dir, 'worker.js'), code)
  await writeFile(join(dir, 'workerd.capnp'), configuration(port))
  const child = spawn(file, ['serve', 'workerd.capnp'], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const url = `http://127.0.0.1:${port}`
  async function stop() {
    process.removeListener('exit', kill)
    kill()
    await exited
  }

  const deadline = Date.now() + 30_000
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer) return { url, stop }
    await sleep(50)
  }
  await stop()
  throw new Error(`workerd did not answer at ${url}:\n${output}`)
}

/** The registry is on loopback, which a worker may not reach unless it is said. */
const configuration = (port: number) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2025-09-01",
);
`
