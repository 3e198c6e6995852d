import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Logger, silent } from '@promptkeep/client/protocol'
import { readConfig, start } from '@promptkeep/server'

export interface TestRegistry {
  readonly url: string
  /** The temporary folder with its database, `registry.db`; gone after `stop`. */
  readonly dir: string
  stop(): Promise<void>
}

/** Our server on a free port with an empty SQLite file of its own. `env` is as {@link readConfig} reads it. */
export async function startRegistry(
  env: Readonly<Record<string, string>> = {},
  log: Logger = silent,
): Promise<TestRegistry> {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-'))
  const defaults = { PORT: '0', DATABASE_URL: `sqlite:${join(dir, 'registry.db')}` }
  const removeFolder = () => rm(dir, { recursive: true, force: true })
  const { url, stop } = await start(readConfig({ ...defaults, ...env }), log).catch(
    async (error: unknown) => {
      await removeFolder()
      throw error
    },
  )
  return {
    url,
    dir,
    async stop() {
      await stop()
      await removeFolder()
    },
  }
}
