import { execFile } from 'node:child_process'
import { constants } from 'node:os'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { createRegistry, type Registry, type RegistryOptions } from '@promptkeep/client'
import { type Admin, type AdminOptions, createAdmin } from '@promptkeep/client/admin'

/** A terminal, a pipe or a test's memory. */
export interface Output {
  write(text: string): void
  /** True when a person reads it: colours are for them only. */
  readonly isTty: boolean
}

/** Everything that a command does to the world outside the prompt folder; `createIo` is the real one. */
export interface Effects {
  /** Answers: what a pipe wants to read. */
  readonly out: Output
  /** Everything said about the work: progress, hints, errors. */
  readonly err: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** What is piped in; `undefined` on a terminal, where it would wait for ever. */
  readonly readStdin: () => Promise<string | undefined>
  readonly createRegistry: (options: RegistryOptions) => Registry
  readonly createAdmin: (options: AdminOptions) => Admin
  /** Standard output of `git <args>`; `undefined` when it fails or there is no git. */
  readonly git: (args: readonly string[], cwd: string) => Promise<string | undefined>
  /** Loaded by the one command that needs it: it is most of the time that a command takes to start. */
  readonly loadServer: () => Promise<typeof import('@promptkeep/server')>
  /** Resolves at the first SIGINT or SIGTERM. */
  readonly untilStopped: () => Promise<NodeJS.Signals>
}

/** 0: done. 1: a check failed, drift, or a conflict. 2: usage, configuration, or nobody answered. */
export type ExitCode = 0 | 1 | 2

/** What a command is made with. */
export interface Io extends Effects {
  /** Sets what `main` returns; the command runs on. Throwing sets it as well (see `report`). */
  readonly setExitCode: (code: ExitCode) => void
}

/** The process's own streams, environment and signals. */
export function createIo(process: NodeJS.Process): Effects {
  const run = promisify(execFile)
  return {
    out: outputOf(process.stdout),
    err: outputOf(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    now: Date.now,
    readStdin: async () => (process.stdin.isTTY ? undefined : text(process.stdin)),
    createRegistry,
    createAdmin,
    async git(args, cwd) {
      try {
        return (await run('git', [...args], { cwd, maxBuffer: 16 * 2 ** 20 })).stdout
      } catch {
        return undefined
      }
    },
    loadServer: () => import('@promptkeep/server'),
    untilStopped: () =>
      new Promise((resolve) => {
        let isStopping = false
        // It goes on listening: a library that finds itself alone with a signal may end the process under the
        // work that is left (@openai/agents does). A second signal ends it at once.
        const stop = (signal: NodeJS.Signals) => {
          if (isStopping) process.exit(128 + constants.signals[signal])
          isStopping = true
          resolve(signal)
        }
        process.on('SIGINT', stop).on('SIGTERM', stop)
        // Started by a script over an ipc channel, which closes when the script is gone; it keeps nobody alive.
        process.once('disconnect', () => stop('SIGTERM'))
        process.channel?.unref()
      }),
  }
}

function outputOf(stream: NodeJS.WriteStream): Output {
  // `promptkeep list | head` closes the pipe early: that is no error of ours.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  return { write: (text) => void stream.write(text), isTty: stream.isTTY === true }
}
