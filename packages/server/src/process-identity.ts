import { execFile } from 'node:child_process'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { promisify } from 'node:util'

/** Tells a process from every other one, also from a later one that got its number. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in words of the machine; compared, never read. */
  readonly startTime: string
  readonly host: string
  /** Where its number means something: empty where that is the whole machine. */
  readonly pidSpace: string
}

/** What can be told of a process of this machine; `undefined` when there is none. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  if (!isThere(pid)) return undefined
  if (process.platform === 'linux') return linuxStartTime(pid)
  return promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)], {
    env: { LC_ALL: 'C', TZ: 'UTC' },
  }).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
}

/** Of this process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const { pid } = process
  return {
    pid,
    startTime: (await startTimeOf(pid)) ?? '',
    host: hostname(),
    pidSpace: await readlink('/proc/self/ns/pid').catch(() => ''),
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's process is one all the same.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Ticks since the machine started, and which of its starts that was. */
async function linuxStartTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  // The second field is a name in brackets, which may hold anything; of those behind it the first is the state.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // Dead, and not yet collected by its parent: it runs nothing any longer.
  return state === 'Z' || state === 'X' ? undefined : `${boot.trim()}/${rest[18]}`
}
