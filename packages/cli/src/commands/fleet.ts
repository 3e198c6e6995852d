import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, type Fleet, type FleetInstance, isBehind, type Reach } from '@promptkeep/client/admin'
import { checkName, suggest } from '@promptkeep/client/protocol'
import { type Command, InvalidArgumentError } from 'commander'
import { CliError } from '../cli-error.ts'
import { findPrompt } from '../find-version.ts'
import type { Io } from '../io.ts'
import {
  aliasName,
  openAdmin,
  printJson,
  type RegistryFlags,
  registryCommand,
  withRegistry,
} from '../registry-command.ts'
import { createStyle, isoTime, oneLine, table } from '../style.ts'

interface FleetFlags extends RegistryFlags {
  readonly alias?: string
  readonly app?: string
  /** Seconds. */
  readonly wait?: number | true
}

const DEFAULT_WAIT_SECONDS = 60
/** Instances that are named of those behind; the rest are counted. */
const MOST_NAMED = 5

export const fleet = (io: Io): Command =>
  registryCommand(
    'fleet',
    'Tell how far moves have reached: which instances of apps run what',
    'fleet',
    'fleet memory --alias production',
    'fleet memory --wait 30',
  )
    .argument('[name]', 'tell of this prompt alone')
    .option('--alias <alias>', 'tell of this alias alone', aliasName('--alias'))
    .option('--app <app>', 'tell of the instances of this app alone')
    .option(
      '--wait [seconds]',
      `wait until all of them run what the aliases say (default: ${DEFAULT_WAIT_SECONDS} s)`,
      seconds,
    )
    .action(async (name: string | undefined, flags: FleetFlags) => {
      if (name !== undefined) checkName(name)
      const admin = openAdmin(io, flags)
      const found = await look(io, admin, name, flags)
      if (name !== undefined && found.prompts.length === 0) await requirePrompt(io, name, flags)
      const behind = found.prompts.flatMap((reach) => behindOf(reach))
      if (flags.json) printJson(io, toJson(found))
      else if (found.prompts.length > 0) print(io, found)
      else await tellNone(io, admin, found, name, flags)
      if (flags.wait !== undefined && behind.length > 0) io.setExitCode(1)
    })

function seconds(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number of seconds.')
}

/** Once, or again and again until nobody is behind or the time is up. */
async function look(io: Io, admin: Admin, name: string | undefined, flags: FleetFlags): Promise<Fleet> {
  const { alias, app, wait } = flags
  const ask = () => admin.fleet({ prompt: name, alias, app })
  const until = io.now() + 1000 * (wait === undefined ? 0 : wait === true ? DEFAULT_WAIT_SECONDS : wait)
  for (;;) {
    const found = await ask()
    if (found.prompts.every((reach) => behindOf(reach).length === 0) || io.now() >= until) return found
    await sleep(Math.min(1000, Math.max(1, until - io.now())))
  }
}

const behindOf = (reach: Reach): FleetInstance[] => reach.instances.filter((one) => isBehind(reach, one))

/** @throws {CliError} exit 1, with the nearest name, for a prompt that the registry does not have */
async function requirePrompt(io: Io, name: string, flags: FleetFlags): Promise<void> {
  try {
    await withRegistry(io, flags, (registry) => findPrompt(registry, name))
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause
    throw new CliError(`there is no prompt ${oneLine(name)}, so nobody runs it`, {
      hint: cause.hint,
      cause,
    })
  }
}

/** Why there is nothing to show: who reports something else is named. */
async function tellNone(
  io: Io,
  admin: Admin,
  { instances }: Fleet,
  name: string | undefined,
  { alias, app }: FleetFlags,
): Promise<void> {
  const what = name === undefined ? '' : ` ${oneLine(name)}`
  const at = alias === undefined ? '' : `@${oneLine(alias)}`
  const of = app === undefined ? '' : ` of the app ${oneLine(app)}`
  const all = alias === undefined && app === undefined ? [] : (await admin.fleet({ prompt: name })).prompts
  if (all.length === 0) {
    io.err.write(
      `No instance reports${what} (${countOf(instances, 'instance')} in all). An app reports what it runs with\n` +
        "  registry.follow({ report: { app: 'my-app' } })\n",
    )
    return
  }
  const namesOf = (given: string, those: readonly string[]) => {
    const known = [...new Set(those)].sort()
    return known.includes(given) ? undefined : suggest(given, known) || `There is ${known.join(', ')}.`
  }
  const apps = all.flatMap((reach) => reach.instances.map((one) => one.app))
  const aliases = all.map((reach) => reach.alias)
  const hints = [
    app === undefined ? undefined : namesOf(app, apps),
    alias === undefined ? undefined : namesOf(alias, aliases),
  ].filter((hint) => hint !== undefined)
  io.err.write(`No instance${of} reports${what || (at && ' anything')}${at}.\n`)
  for (const hint of hints) io.err.write(`${oneLine(hint)}\n`)
}

function print(io: Io, { prompts, at }: Fleet): void {
  const style = createStyle(io.out, io.env)
  const rows = prompts.map((reach) => {
    const behind = behindOf(reach)
    const on = reach.instances.length - behind.length
    const count = `${on} of ${countOf(reach.instances.length, 'instance')}`
    return [
      `${style.bold(oneLine(reach.name))}${style.cyan(`@${oneLine(reach.alias)}`)}`,
      reach.version === undefined ? style.yellow('gone') : `v${reach.version}`,
      behind.length === 0 ? style.green(count) : style.yellow(count),
      behind.length === 0 ? '' : namesOf(behind, at),
    ]
  })
  io.out.write(table(rows))
}

/** `v11: web-1 (3 s ago), web-2 (8 s ago), and 4 more` */
function namesOf(behind: readonly FleetInstance[], at: number): string {
  const byVersion = new Map<number, FleetInstance[]>()
  for (const one of behind) byVersion.set(one.version, [...(byVersion.get(one.version) ?? []), one])
  const parts = [...byVersion].map(([version, those]) => {
    const named = those.slice(0, MOST_NAMED).map(({ app, instance, reportedAt }) => {
      const ago = Math.max(0, Math.round((at - reportedAt) / 1000))
      return `${app}/${instance} (${ago} s ago)`
    })
    const more = those.length - named.length
    return `v${version}: ${named.join(', ')}${more > 0 ? `, and ${more} more` : ''}`
  })
  return parts.join('; ')
}

const countOf = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

const toJson = ({ seq, at, instances, prompts }: Fleet) => ({
  seq,
  at: isoTime(at),
  instances,
  prompts: prompts.map((reach) => ({
    prompt: reach.name,
    alias: reach.alias,
    version: reach.version ?? null,
    on: reach.instances.length - behindOf(reach).length,
    of: reach.instances.length,
    behind: behindOf(reach).map((one) => ({ ...one, reportedAt: isoTime(one.reportedAt) })),
  })),
})
