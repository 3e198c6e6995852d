import { Command } from 'commander'
import { alias } from './commands/alias.ts'
import { backup } from './commands/backup.ts'
import { checkCommand } from './commands/check.ts'
import { compare } from './commands/compare.ts'
import { diff } from './commands/diff.ts'
import { evalCommand } from './commands/eval.ts'
import { fleet } from './commands/fleet.ts'
import { generate } from './commands/generate.ts'
import { guard } from './commands/guard.ts'
import { history } from './commands/history.ts'
import { lintCommand } from './commands/lint.ts'
import { list } from './commands/list.ts'
import { policy } from './commands/policy.ts'
import { promoteCommand } from './commands/promote.ts'
import { pull } from './commands/pull.ts'
import { push } from './commands/push.ts'
import { register } from './commands/register.ts'
import { resolve } from './commands/resolve.ts'
import { restore } from './commands/restore.ts'
import { rollback } from './commands/rollback.ts'
import { rollout } from './commands/rollout.ts'
import { schema } from './commands/schema.ts'
import { serve } from './commands/serve.ts'
import { show } from './commands/show.ts'
import { snapshot } from './commands/snapshot.ts'
import { status } from './commands/status.ts'
import { token } from './commands/token.ts'
import { trend } from './commands/trend.ts'
import { watchCommand } from './commands/watch.ts'
import { whoami } from './commands/whoami.ts'
import type { Io } from './io.ts'

const COMMANDS = [
  ...[
    serve,
    list,
    show,
    register,
    alias,
    rollout,
    rollback,
    diff,
    history,
    resolve,
    fleet,
    status,
    push,
    pull,
  ],
  ...[
    lintCommand,
    snapshot,
    evalCommand,
    trend,
    compare,
    checkCommand,
    promoteCommand,
    watchCommand,
    guard,
    generate,
    schema,
  ],
  ...[token, policy, whoami, backup, restore],
]

/** The whole command line. Nothing is printed, read or ended but through `io`. */
export function createProgram(io: Io, version: string): Command {
  const program = new Command('promptkeep')
    .description('The prompt registry for TypeScript, MLflow-native')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this text')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText(
      'after',
      '\nExample:\n  $ promptkeep serve\n  $ promptkeep list\n\npromptkeep COMMAND --help tells more; so does docs/cli.md.',
    )
    .exitOverride()
    .showHelpAfterError('Usage and an example: add --help. Options go after the command.')
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      // A line of its own, as this command's own suggestions are.
      outputError: (text, write) => write(text.replace(/\n\((Did you mean .*\?)\)/, '\n$1')),
    })
  for (const make of COMMANDS) program.addCommand(inherit(make(io), program))
  return program
}

/** Streams, errors and help are the program's, also of commands within a command. */
function inherit(command: Command, program: Command): Command {
  for (const inner of command.commands) inherit(inner, program)
  return command.copyInheritedSettings(program)
}
