import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'

type Server = Awaited<ReturnType<Io['loadServer']>>

/** Lends the part of the server that works on a database without one; what it refuses is told as it says it. */
export async function withBackups<T>(io: Io, use: (server: Server) => Promise<T>): Promise<T> {
  const server = await io.loadServer()
  try {
    return await use(server)
  } catch (cause) {
    if (cause instanceof server.BackupError) throw new CliError(cause.message, { cause })
    throw cause
  }
}

/** The database that `promptkeep serve` would open here. */
export function databaseOf(io: Io, given: string | undefined, readConfig: Server['readConfig']): string {
  try {
    const { DATABASE_URL } = readConfig({ DATABASE_URL: given ?? io.env.DATABASE_URL })
    return DATABASE_URL
  } catch (cause) {
    const { message } = cause as Error
    throw new CliError(given === undefined ? message : message.replace(/^DATABASE_URL/, '--database'), {
      cause,
    })
  }
}
