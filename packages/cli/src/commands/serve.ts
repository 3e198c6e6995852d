import type { Config } from '@promptkeep/server'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { describeCommand } from '../registry-command.ts'

interface ServeFlags {
  readonly host?: string
  readonly port?: string
  readonly database?: string
  readonly allowedHosts?: string
  readonly allowedOrigins?: string
  readonly trustProxy?: string
  readonly allowModelConfigEdit?: true
}

/** Which flag sets which variable of the server. */
const VARIABLES = {
  host: 'HOST',
  port: 'PORT',
  database: 'DATABASE_URL',
  allowedHosts: 'ALLOWED_HOSTS',
  allowedOrigins: 'ALLOWED_ORIGINS',
  trustProxy: 'TRUST_PROXY',
  allowModelConfigEdit: 'ALLOW_MODEL_CONFIG_EDIT',
} as const satisfies Record<keyof ServeFlags, string>

export const serve = (io: Io): Command =>
  describeCommand(
    'serve',
    'Run the registry server until Ctrl-C; logs are JSON lines on standard output',
    'serve',
    'serve --port 5056 --database postgres://user:password@127.0.0.1/prompts',
  )
    .option(
      '--host <address>',
      'listen on this address; beyond loopback only once there are tokens (env HOST, default 127.0.0.1)',
    )
    .option('--port <n>', 'listen on this port; 0 takes a free one (env PORT, default 5055)')
    .option(
      '--database <url>',
      'keep everything in sqlite:<file> or postgres://… (env DATABASE_URL, default sqlite:./.promptkeep/registry.db)',
    )
    .option(
      '--allowed-hosts <names>',
      'take requests for these names, by commas; * for any (env ALLOWED_HOSTS)',
    )
    .option(
      '--allowed-origins <origins>',
      'let pages of these origins write, such as https://prompts.example.com (env ALLOWED_ORIGINS)',
    )
    .option(
      '--trust-proxy <n>',
      'read the client address behind as many proxies from X-Forwarded-For (env TRUST_PROXY, default 0)',
    )
    .option('--allow-model-config-edit', "let MLflow's clients edit the model config of a version in place")
    .action(async (flags: ServeFlags) => {
      const { createLog, readConfig, start } = await io.loadServer()
      const config = configOf(io, flags, readConfig)
      const server = await start(config, createLog(config.LOG_LEVEL)).catch((error: unknown) => {
        throw new CliError(whyNotStarted(error, config), { cause: error })
      })
      io.err.write(
        `promptkeep: registry listening on ${server.url} (${withoutPassword(config.DATABASE_URL)}). Ctrl-C stops it.\n`,
      )
      await io.untilStopped()
      await server.stop()
    })

function configOf(io: Io, flags: ServeFlags, readConfig: (env: Io['env']) => Config): Config {
  const given = Object.entries(VARIABLES).filter(([flag]) => flags[flag as keyof ServeFlags] !== undefined)
  const fromFlags = given.map(([flag, variable]) => [variable, String(flags[flag as keyof ServeFlags])])
  try {
    return readConfig({ ...io.env, ...Object.fromEntries(fromFlags) })
  } catch (cause) {
    // The message names variables; who gave a flag looks for the flag.
    const message = given.reduce(
      (text, [flag, variable]) => text.replaceAll(new RegExp(`^${variable}\\b`, 'gm'), `--${kebab(flag)}`),
      (cause as Error).message,
    )
    throw new CliError(message.split('\n').join('; '), { cause })
  }
}

function whyNotStarted(error: unknown, { HOST, PORT, DATABASE_URL }: Config): string {
  const { message, cause } = error as Error
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (code === 'EADDRINUSE')
    return `port ${PORT} on ${HOST} is taken: choose another with --port or PORT (0 takes a free one); is one running already?`
  if (code === 'EACCES' && (error as Error).name === 'StartError')
    return `port ${PORT} on ${HOST} may not be used by this account: choose another with --port or PORT`
  if ((error as Error).name === 'StartError') return message
  return `the registry cannot start with --database ${withoutPassword(DATABASE_URL)}: ${message?.split('\n')[0]}`
}

const withoutPassword = (url: string) => url.replace(/^(\w+:\/\/[^:@/]*):[^@]*@/, '$1:…@')
const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
