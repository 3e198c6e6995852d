import { resolve } from 'node:path'
import type { Command } from 'commander'
import { databaseOf, withBackups } from '../backups.ts'
import type { Io } from '../io.ts'
import { describeCommand, printJson } from '../registry-command.ts'
import { bytes } from '../style.ts'

interface RestoreFlags {
  readonly database?: string
  readonly force?: true
  readonly json?: true
}

export const restore = (io: Io): Command =>
  describeCommand(
    'restore',
    'Put a backup in the place of the database, with the server stopped; what was there is kept aside',
    'restore /backups/registry.db --database sqlite:/var/lib/promptkeep/registry.db',
    'restore registry.db.2026-11-22T21-30-05Z.backup --force',
  )
    .argument('<backup>', 'a file that promptkeep backup made')
    .option(
      '--database <url>',
      'restore to this database (env DATABASE_URL, default sqlite:./.promptkeep/registry.db)',
    )
    .option('--force', 'restore also where there is a database: it gets another name, which is printed')
    .option('--json', 'print JSON instead of text')
    .action(async (given: string, { database, force, json }: RestoreFlags) => {
      const made = await withBackups(io, async (server) =>
        server.restore(resolve(io.cwd, given), databaseOf(io, database, server.readConfig), {
          force: force === true,
          now: io.now,
        }),
      )
      if (json) return printJson(io, made)
      if (made.replaced !== undefined) io.err.write(`What was there is now ${made.replaced}\n`)
      io.out.write(`${made.file}: ${bytes(made.bytes)}, all changes up to ${made.seq}\n`)
    })
