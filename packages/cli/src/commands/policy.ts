import type { Policy, Role } from '@promptkeep/client/admin'
import { suggest } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { duration, durationText } from '../parse-time.ts'
import {
  aliasName,
  groupCommand,
  openAdmin,
  printJson,
  type RegistryFlags,
  registryCommand,
  roleList,
} from '../registry-command.ts'
import { createStyle, isoTime, oneLine, table, when } from '../style.ts'

interface SetFlags extends RegistryFlags {
  readonly role?: readonly Role[]
  readonly requireReason?: true
  readonly requireEvidence?: true
  readonly maxAge?: number
}

export const policy = (io: Io): Command =>
  groupCommand(
    'policy',
    'Say who may move an alias, and what a move needs',
    'policy set production --role promoter --require-reason --require-evidence --max-age 24h',
    'policy list',
  )
    .addCommand(set(io))
    .addCommand(list(io))
    .addCommand(remove(io))

const set = (io: Io): Command =>
  registryCommand(
    'set',
    'Set what moving an alias takes, for every prompt; replaces what was set before',
    'policy set production --role promoter --require-reason --require-evidence --max-age 24h',
  )
    .argument('<alias>', 'such as production', aliasName('alias'))
    .option('--role <roles>', 'let these move it, and admins (default: writer,promoter)', roleList('--role'))
    .option('--require-reason', 'refuse a move without --reason')
    .option(
      '--require-evidence',
      'refuse a move without --evidence: an eval run that judged the very version',
    )
    .option('--max-age <time>', 'refuse evidence that is older, such as 24h or 7d', duration('--max-age'))
    .action(async (alias: string, flags: SetFlags) => {
      const { role: roles, requireReason, requireEvidence, maxAge } = flags
      if (maxAge !== undefined && !requireEvidence)
        throw new CliError('--max-age is the age of evidence: give --require-evidence with it')
      const made = await openAdmin(io, flags).policies.set({
        alias,
        roles,
        reasonRequired: requireReason === true,
        evidenceRequired: requireEvidence === true,
        maxAgeSeconds: maxAge,
      })
      if (flags.json) return printJson(io, toJson(made))
      io.out.write(`${made.alias}: ${words(made)}\n`)
    })

const list = (io: Io): Command =>
  registryCommand('list', 'List what each guarded alias asks for', 'policy list').action(
    async (flags: RegistryFlags) => {
      const policies = await openAdmin(io, flags).policies.list()
      if (flags.json) return printJson(io, { policies: policies.map(toJson) })
      if (policies.length === 0) {
        io.err.write('No policies: writers, promoters and admins may move every alias.\n')
        return
      }
      const style = createStyle(io.out, io.env)
      const rows = policies.map((one) => [
        style.bold(oneLine(one.alias)),
        moversOf(one),
        one.reasonRequired ? 'required' : '-',
        !one.evidenceRequired
          ? '-'
          : `required${one.maxAgeSeconds === undefined ? '' : `, ≤ ${durationText(one.maxAgeSeconds)}`}`,
        `${when(one.updatedAt)} by ${oneLine(one.updatedBy)}`,
      ])
      io.out.write(table([['ALIAS', 'MAY MOVE', 'REASON', 'EVIDENCE', 'SET'].map(style.dim), ...rows]))
    },
  )

const remove = (io: Io): Command =>
  registryCommand('remove', 'Take the policy of an alias away', 'policy remove production')
    .argument('<alias>', 'such as production', aliasName('alias'))
    .action(async (alias: string, flags: RegistryFlags) => {
      const { policies } = openAdmin(io, flags)
      const removed = await policies.remove(alias)
      if (!removed) {
        const known = (await policies.list()).map((one) => one.alias)
        throw new CliError(`alias "${alias}" has no policy`, {
          hint:
            suggest(alias, known) ||
            (known.length > 0 ? `There are policies for ${known.join(', ')}.` : 'There are no policies.'),
        })
      }
      if (flags.json) return printJson(io, { alias, removed })
      io.out.write(`${alias}: no policy; writers, promoters and admins may move it\n`)
    })

const toJson = ({ updatedAt, ...policy }: Policy) => ({ ...policy, updatedAt: isoTime(updatedAt) })

function words({ roles, reasonRequired, evidenceRequired, maxAgeSeconds }: Policy): string {
  const needs = [
    ...(reasonRequired ? ['a reason'] : []),
    ...(evidenceRequired
      ? [`evidence${maxAgeSeconds === undefined ? '' : ` not older than ${durationText(maxAgeSeconds)}`}`]
      : []),
  ]
  return `may be moved by ${moversOf({ roles })}${needs.length === 0 ? '' : `; needs ${needs.join(' and ')}`}`
}

/** An admin may whether the policy names that role or not. */
const moversOf = ({ roles }: Pick<Policy, 'roles'>) => [...new Set([...roles, 'admin'])].join(', ')
