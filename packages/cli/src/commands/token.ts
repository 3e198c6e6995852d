import { hasCode } from '@promptkeep/client'
import { ROLES, type Role, type Token } from '@promptkeep/client/admin'
import { suggest } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { duration } from '../parse-time.ts'
import { groupCommand, printJson, registryCommand, roleList } from '../registry-command.ts'
import { createStyle, isoTime, oneLine, table, when } from '../style.ts'
import { stateOf, type TokenAccess, type TokenFlags, withTokens } from '../token-access.ts'

interface CreateFlags extends TokenFlags {
  readonly role?: readonly Role[]
  readonly expires?: number
}

export const token = (io: Io): Command =>
  groupCommand(
    'token',
    'Make tokens, list and revoke them: who may speak to a server, and with which roles',
    'token create ada --role admin',
    'token create ci --role promoter,evaluator --expires 90d',
    'token list',
  )
    .addCommand(create(io))
    .addCommand(list(io))
    .addCommand(revoke(io))

/** Also without a server, by whoever has the database: for the first token, and when all are lost. */
const tokenCommand = (name: string, summary: string, ...examples: string[]): Command =>
  registryCommand(name, summary, ...examples).option(
    '--database <url>',
    'open this database instead of asking a server: sqlite:<file> or postgres://…',
  )

const create = (io: Io): Command =>
  tokenCommand(
    'create',
    'Make a token; it is printed once, and the registry keeps only its hash',
    'token create ci --role promoter,evaluator --expires 90d',
    'export MLFLOW_TRACKING_TOKEN="$(promptkeep token create ada --role admin)"',
    'token create first --role admin --database sqlite:./.promptkeep/registry.db',
  )
    .argument('<name>', 'who or what will use it, as the history will say')
    .option(
      '--role <roles>',
      'let it do what these may: reader, writer, evaluator, promoter, admin',
      roleList('--role'),
    )
    .option(
      '--expires <time>',
      'let it end after this time, such as 90d (default: never)',
      duration('--expires'),
    )
    .action(async (name: string, flags: CreateFlags) => {
      const { role: roles } = flags
      // Not commander's required option: a flag that is a slip away from it would be called missing, not unknown.
      if (roles === undefined) throw new CliError(`--role is missing: one or more of ${ROLES.join(', ')}`)
      const made = await withTokens(io, flags, true, async (tokens) => {
        await checkFirst(tokens, roles, flags)
        return tokens.create({ name, roles, expiresInSeconds: flags.expires })
      })
      if (flags.json) return printJson(io, { ...toJson(made), token: made.token })
      const until = made.expiresAt === undefined ? 'it does not expire' : `it expires ${when(made.expiresAt)}`
      io.err.write(
        `Token ${made.name} (${made.id}) has the role${made.roles.length > 1 ? 's' : ''} ${made.roles.join(', ')}; ${until}.\n` +
          'This is the one time that it is shown. Clients read it from MLFLOW_TRACKING_TOKEN:\n',
      )
      io.out.write(`${made.token}\n`)
    })

/** Nobody is anonymous after the first token: without an admin nobody could make the second one. */
async function checkFirst(
  tokens: TokenAccess,
  roles: readonly Role[],
  { database }: CreateFlags,
): Promise<void> {
  if (roles.includes('admin') || (await tokens.hasAdmin())) return
  if (database === undefined)
    throw new CliError(
      'the first token must have the role admin: from then on nobody else may make another',
      {
        hint: 'Begin with: promptkeep token create NAME --role admin',
      },
    )
}

const list = (io: Io): Command =>
  tokenCommand(
    'list',
    'List every token that was made: roles, when it ends, when it was used',
    'token list',
  ).action(async (flags: TokenFlags) => {
    const tokens = await withTokens(io, flags, false, (access) => access.list())
    const state = (one: Token) => stateOf(one, io.now())
    if (flags.json)
      return printJson(io, { tokens: tokens.map((one) => ({ ...toJson(one), state: state(one) })) })
    if (tokens.length === 0) {
      io.err.write('No tokens: everybody who reaches this registry may do everything.\n')
      return
    }
    const style = createStyle(io.out, io.env)
    const colour = { valid: style.green, expired: style.yellow, revoked: style.red }
    const rows = tokens.map((one) => [
      style.bold(oneLine(one.name)),
      one.id,
      one.roles.join(','),
      colour[state(one)](state(one)),
      one.expiresAt === undefined ? 'never' : when(one.expiresAt),
      one.lastUsedAt === undefined ? 'never' : when(one.lastUsedAt),
      `${when(one.createdAt)} by ${oneLine(one.createdBy)}`,
    ])
    const head = ['NAME', 'ID', 'ROLES', 'STATE', 'EXPIRES', 'LAST USED', 'MADE'].map(style.dim)
    io.out.write(table([head, ...rows]))
  })

const revoke = (io: Io): Command =>
  tokenCommand('revoke', 'Take a token back for ever; it stops working at once', 'token revoke ci')
    .argument('<token>', 'its name or its id')
    .option('--force', 'take also the last valid admin token; the next one needs --database')
    .action(async (given: string, flags: TokenFlags & { readonly force?: true }) => {
      const before = await withTokens(io, flags, false, async (access) => {
        const known = await access.list()
        const found = known.find(
          ({ id, name }) => [id, name].includes(given) || given.startsWith(`pk_${id}_`),
        )
        if (found === undefined)
          throw new CliError(
            `there is no token ${given.startsWith('pk_') ? 'of this text' : JSON.stringify(given)}`,
            {
              hint:
                suggest(
                  given,
                  known.map(({ name }) => name),
                ) || 'List them with: promptkeep token list',
            },
          )
        await access.revoke(found.id, { force: flags.force }).catch((cause: unknown) => {
          if (!hasCode(cause, 'INVALID_INPUT')) throw cause
          const hint = 'To take it all the same: --force. The next one is then made with --database.'
          throw new CliError((cause as Error).message, { hint, cause })
        })
        return found
      })
      const { id, name, revokedAt } = before
      if (flags.json) return printJson(io, { id, name, revoked: true })
      io.out.write(
        `${oneLine(name)} (${id}): ${revokedAt === undefined ? 'revoked' : `was revoked before, ${when(revokedAt)}`}\n`,
      )
    })

const toJson = ({ id, name, roles, createdAt, createdBy, expiresAt, revokedAt, lastUsedAt }: Token) => ({
  id,
  name,
  roles,
  createdAt: isoTime(createdAt),
  createdBy,
  ...(expiresAt !== undefined && { expiresAt: isoTime(expiresAt) }),
  ...(revokedAt !== undefined && { revokedAt: isoTime(revokedAt) }),
  ...(lastUsedAt !== undefined && { lastUsedAt: isoTime(lastUsedAt) }),
})
