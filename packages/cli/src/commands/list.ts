import type { Command } from 'commander'
import { listAll } from '../find-version.ts'
import type { Io } from '../io.ts'
import { printJson, type RegistryFlags, registryCommand, withRegistry } from '../registry-command.ts'
import { createStyle, isoTime, oneLine, table, when } from '../style.ts'

export const list = (io: Io): Command =>
  registryCommand('list', 'List every prompt: newest version, aliases, when it last changed', 'list').action(
    (flags: RegistryFlags) =>
      withRegistry(io, flags, async (registry) => {
        const prompts = await listAll(registry)
        if (flags.json) {
          const entries = prompts.map(({ createdAt, updatedAt, ...prompt }) => ({
            ...prompt,
            createdAt: isoTime(createdAt),
            updatedAt: isoTime(updatedAt),
          }))
          return printJson(io, { prompts: entries })
        }
        if (prompts.length === 0) {
          io.err.write('No prompts yet. Register one with: promptkeep register NAME --file FILE\n')
          return
        }
        const style = createStyle(io.out, io.env)
        const rows = prompts.map(({ name, latestVersion, aliases, updatedAt, description }) => [
          style.bold(oneLine(name)),
          latestVersion === undefined ? '-' : `v${latestVersion}`,
          Object.keys(aliases)
            .sort()
            .map((alias) => `${oneLine(alias)}=v${aliases[alias]}`)
            .join(' ') || '-',
          when(updatedAt),
          shorten(oneLine(description)),
        ])
        io.out.write(table([['NAME', 'NEWEST', 'ALIASES', 'CHANGED', 'DESCRIPTION'].map(style.dim), ...rows]))
      }),
  )

const shorten = (text: string) => (text.length > 60 ? `${text.slice(0, 59)}…` : text)
