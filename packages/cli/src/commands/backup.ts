import { resolve } from 'node:path'
import type { Command } from 'commander'
import { databaseOf, withBackups } from '../backups.ts'
import type { Io } from '../io.ts'
import { describeCommand, printJson } from '../registry-command.ts'
import { bytes } from '../style.ts'

interface BackupFlags {
  readonly to?: string
  readonly database?: string
  readonly json?: true
}

export const backup = (io: Io): Command =>
  describeCommand(
    'backup',
    'Copy the database into one file, checked and whole; a server may go on writing',
    'backup',
    'backup --to /backups/registry.db --database sqlite:/var/lib/promptkeep/registry.db',
  )
    .option(
      '--to <file>',
      'write this file, which must not be there (default: beside the database, with the time)',
    )
    .option(
      '--database <url>',
      'copy this database (env DATABASE_URL, default sqlite:./.promptkeep/registry.db)',
    )
    .option('--json', 'print JSON instead of text')
    .action(async ({ to, database, json }: BackupFlags) => {
      const made = await withBackups(io, async ({ backUp, readConfig }) =>
        backUp(databaseOf(io, database, readConfig), {
          now: io.now,
          ...(to !== undefined && { to: resolve(io.cwd, to) }),
        }),
      )
      if (json) return printJson(io, made)
      io.out.write(`${made.file}: ${bytes(made.bytes)}, all changes up to ${made.seq}\n`)
    })
