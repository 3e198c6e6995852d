import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { openAdmin, printJson, type RegistryFlags, registryCommand } from '../registry-command.ts'
import { createStyle, oneLine } from '../style.ts'

export const whoami = (io: Io): Command =>
  registryCommand('whoami', 'Say who the registry takes you for, and what you may do', 'whoami').action(
    async (flags: RegistryFlags) => {
      const admin = openAdmin(io, flags)
      const { actor, roles, tokens } = await admin.whoami()
      if (flags.json) return printJson(io, { actor, roles, tokens, registry: admin.address })
      const style = createStyle(io.out, io.env)
      io.out.write(`${style.bold(oneLine(actor))}  ${roles.join(', ')}\n`)
      if (!tokens)
        io.err.write(
          'This registry has no tokens: everybody who reaches it may do everything. The first one ends that:\n' +
            '  promptkeep token create NAME --role admin\n',
        )
    },
  )
