import { createRegistry } from '@promptkeep/client'
import { type Admin, createAdmin } from '@promptkeep/client/admin'
import { createMemoryTransport, type MemoryTransport } from '@promptkeep/client/testing'
import type { Effects, ExitCode } from './io.ts'
import { main } from './main.ts'

/** What one command did. */
interface Outcome {
  readonly code: ExitCode
  readonly out: string
  readonly err: string
}

export interface TestCli {
  readonly transport: MemoryTransport
  /** Runs `promptkeep <args>` in this process. */
  run(...args: string[]): Promise<Outcome>
  /** The same, hearing each text for standard output as it is written. */
  watch(onOut: (text: string) => void, ...args: string[]): Promise<Outcome>
  /** The same with something else about the world. */
  with(effects: Partial<Effects>): TestCli
}

/** The command line on a registry in memory; nothing leaves the process but what a command writes into `cwd`. */
export function createTestCli(
  cwd: string,
  effects: Partial<Effects> = {},
  transport = createMemoryTransport(),
): TestCli {
  return {
    transport,
    with: (more) => createTestCli(cwd, { ...effects, ...more }, transport),
    run: (...args) => run(() => {}, args),
    watch: (onOut, ...args) => run(onOut, args),
  }

  async function run(onOut: (text: string) => void, args: readonly string[]): Promise<Outcome> {
    const written = { out: '', err: '' }
    const collect = (stream: 'out' | 'err') => ({
      isTty: effects[stream]?.isTty ?? false,
      write: (text: string) => {
        written[stream] += text
        if (stream === 'out') onOut(text)
      },
    })
    const code = await main(['node', 'promptkeep', ...args], {
      env: {},
      cwd,
      now: Date.now,
      readStdin: async () => undefined,
      createRegistry: (options) => createRegistry({ ...options, transport }),
      createAdmin: () => adminOf(transport),
      git: async () => undefined,
      loadServer: () => Promise.reject(new Error('no server in this test')),
      untilStopped: () => new Promise(() => {}),
      ...effects,
      out: collect('out'),
      err: collect('err'),
    })
    return { code, ...written }
  }
}

/** What makes the command line ask a real server, as whoever the token is. */
export const asking = (url: string, token?: string): Partial<Effects> => ({
  createRegistry,
  createAdmin,
  env: { MLFLOW_TRACKING_URI: url, ...(token !== undefined && { MLFLOW_TRACKING_TOKEN: token }) },
})

/** The log of the registry in memory, whole: what else an admin asks needs a server. */
function adminOf(transport: MemoryTransport): Admin {
  const none = () => Promise.reject(new Error('no server in this test'))
  return {
    address: transport.address,
    capabilities: (limits) => transport.capabilities(limits),
    async changes({ prompt, ...page } = {}, limits) {
      if (prompt !== undefined) return transport.changes(prompt, page, limits)
      const { items } = await transport.list({ limit: 1000 }, limits)
      const all = await Promise.all(
        items.map(({ name }) => transport.changes(name, { limit: 10_000 }, limits)),
      )
      return { items: all.flatMap((one) => one.items).sort((a, b) => (b.seq ?? 0) - (a.seq ?? 0)) }
    },
    whoami: none,
    follow: () => {
      throw new Error('no server in this test')
    },
    resolve: none,
    rollback: none,
    rollout: none,
    fleet: none,
    tokens: { create: none, list: none, revoke: none },
    policies: { list: none, set: none, remove: none },
  }
}
