import { hasCode, type Registry } from '@promptkeep/client'
import { type Admin, ROLES, type Role } from '@promptkeep/client/admin'
import { checkAlias, refuse, suggest } from '@promptkeep/client/protocol'
import { Command } from 'commander'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'

/** Options of every command that speaks to a registry. */
export interface RegistryFlags {
  readonly json?: true
  readonly trackingUri?: string
}

/** Waits longer than an app's load does: nobody's answer hangs on it. */
const TIMEOUT_MS = 10_000

/** A command with `--json` and `--tracking-uri`. @param example - Arguments, one example a line. */
export const registryCommand = (name: string, summary: string, ...examples: readonly string[]): Command =>
  describeCommand(name, summary, ...examples)
    .option('--json', 'print JSON instead of text')
    .option(
      '--tracking-uri <url>',
      'ask this registry (default: MLFLOW_TRACKING_URI, then http://127.0.0.1:5055)',
    )

export const describeCommand = (name: string, summary: string, ...examples: readonly string[]): Command =>
  new Command(name)
    .description(summary)
    .summary(summary.split(/[;:]/)[0] ?? summary)
    .helpOption('-h, --help', 'print this text')
    .addHelpText(
      'after',
      `\nExample${examples.length > 1 ? 's' : ''}:\n${examples.map((text) => `  $ promptkeep ${text}\n`).join('')}`,
    )

/** A command that only has commands: without one it prints its help, and it is exit 2. */
export const groupCommand = (name: string, summary: string, ...examples: readonly string[]): Command =>
  describeCommand(name, summary, ...examples).helpCommand(false)

/**
 * Opens the registry that the flags and the environment name, and closes it whatever happens. It is strict: a
 * command never answers from a fallback.
 */
export async function withRegistry<T>(
  io: Io,
  flags: RegistryFlags,
  use: (registry: Registry) => Promise<T>,
): Promise<T> {
  const registry = openRegistry(io, flags)
  try {
    return await use(registry)
  } finally {
    await registry.close()
  }
}

const openRegistry = (io: Io, flags: RegistryFlags): Registry =>
  open(flags, (where) =>
    io.createRegistry({
      ...where,
      env: io.env,
      now: io.now,
      strict: true,
      cacheTtlSeconds: 0,
      timeoutMs: TIMEOUT_MS,
    }),
  )

/** For what goes beyond prompts: the whole log, rollbacks, tokens, policies. Nothing to close. */
export const openAdmin = (io: Io, flags: RegistryFlags): Admin =>
  open(flags, (where) => io.createAdmin({ ...where, env: io.env, now: io.now, timeoutMs: TIMEOUT_MS }))

function open<T>({ trackingUri }: RegistryFlags, make: (where: { readonly trackingUri?: string }) => T): T {
  try {
    return make(trackingUri === undefined ? {} : { trackingUri })
  } catch (cause) {
    if (!hasCode(cause, 'INVALID_INPUT')) throw cause
    // The library names its option; a person looks for the flag or the variable that they gave.
    const given = trackingUri === undefined ? 'MLFLOW_TRACKING_URI' : '--tracking-uri'
    throw new CliError((cause as Error).message.replace(/^trackingUri\b/, given), { cause })
  }
}

/** JSON on one answer's own lines. */
export const printJson = (io: Io, value: unknown): void => io.out.write(`${JSON.stringify(value, null, 2)}\n`)

/** Parsers of arguments and options. `field` is the flag or argument as it is typed, for what is refused. */
export const wholeNumber =
  (field: string, min: number, max: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max)
      refuse(field, text, `a whole number from ${min} to ${max}`)
    return value
  }

/** `3`, or `v3` as the listings write it. */
export const versionNumber =
  (field: string) =>
  (text: string): number =>
    /^v?\d+$/.test(text)
      ? wholeNumber(field, 1, 2_147_483_647)(text.replace(/^v/, ''))
      : refuse(field, text, 'a version number')

/** What `--expect` takes. */
export function expectedVersion(text: string): number | 'none' {
  if (text === 'none') return text
  if (!/^v?\d+$/.test(text))
    refuse('--expect', text, 'a version number, or "none" for an alias that is unset')
  return versionNumber('--expect')(text)
}

/** `promoter,evaluator` */
export const roleList =
  (field: string) =>
  (text: string): readonly Role[] =>
    text.split(',').map((given) => {
      const role = ROLES.find((known) => known === given.trim())
      const near = suggest(given.trim(), ROLES)
      return role ?? refuse(field, given, `one or more of ${ROLES.join(', ')}${near && ` (${near})`}`)
    })

/** An alias that may be set. Checked before anything is asked or written. */
export const aliasName =
  (field: string) =>
  (text: string): string => {
    checkAlias(text, field)
    return text
  }
