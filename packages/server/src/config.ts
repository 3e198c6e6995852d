import { isIP } from 'node:net'
import { z } from 'zod'

/** A setting that cannot be used; the message names every one of them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

// z.coerce.number() would read `PORT=` as 0, which is a random port.
const whole = (least: number, most: number) => {
  const allowed = `must be a whole number from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d{1,9}$/, allowed)
    .transform(Number)
    .pipe(z.int().min(least, allowed).max(most, allowed))
}

const isHostName = (text: string) => /^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i.test(text) && text.length <= 253
const isAddress = (text: string) => isIP(text) !== 0 || isHostName(text)
const isOrigin = (text: string) =>
  /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text

const list = (isAllowed: (item: string) => boolean, allowed: string) =>
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .refine((items) => items.every(isAllowed), allowed)

/** Every knob: its unit in its name, its default here only. */
const Environment = z.object({
  HOST: z
    .string()
    .refine(isAddress, 'must be an address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0 (all of IPv4)')
    .default('127.0.0.1')
    .describe('address to listen on; one that is not loopback needs a token to exist'),
  PORT: whole(0, 65_535).default(5055).describe('port to listen on; 0 takes a free one'),
  DATABASE_URL: z
    .string()
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'must be sqlite:<file>, sqlite::memory: or postgres://…')
    .default('sqlite:./.promptkeep/registry.db')
    .describe('where prompts, versions and runs are kept'),
  SHUTDOWN_GRACE_MS: whole(0, 600_000)
    .default(5000)
    .describe('how long running requests may take when the server stops'),
  HEARTBEAT_MS: whole(100, 600_000)
    .default(15_000)
    .describe('how often a stream of live changes beats, so that a reader knows that it is alive'),
  MAX_STREAMS: whole(0, 1_000_000)
    .default(20_000)
    .describe('streams of live changes that may be open at once'),
  REQUEST_TIMEOUT_MS: whole(0, 600_000)
    .default(30_000)
    .describe('how long a request may take before it is answered with 503; 0: as long as it needs'),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], 'must be debug, info, warn, error or silent')
    .default('info')
    .describe('least severe line that is written'),
  ALLOW_MODEL_CONFIG_EDIT: z
    .enum(['true', 'false'], 'must be true or false')
    .default('false')
    .transform((value) => value === 'true')
    .describe("takes MLflow's set_prompt_model_config, which edits a version in place"),
  ALLOWED_HOSTS: list(
    (host) => host === '*' || isHostName(host),
    'must be host names without a port, separated by commas, or *',
  )
    .transform((hosts) => hosts.map((host) => host.toLowerCase()))
    .describe('names other than those of loopback by which the server may be asked, by commas; `*`: any'),
  ALLOWED_ORIGINS: list(
    isOrigin,
    'must be origins such as https://prompts.example.com, separated by commas, without a path',
  ).describe('origins other than loopback whose pages may write, by commas'),
  TRUST_PROXY: whole(0, 10)
    .default(0)
    .describe('how many proxies stand before the server, whose X-Forwarded-For is believed'),
  RATE_LIMIT_PER_TOKEN: whole(0, 1_000_000)
    .default(1000)
    .describe('requests that a token may make in a second, twice as many at once; 0: any number'),
  RATE_LIMIT_PER_ADDRESS: whole(0, 1_000_000)
    .default(1000)
    .describe('the same for an address, once there are tokens; 0: any number'),
})

export type Config = Readonly<z.infer<typeof Environment>>

/** @throws {ConfigError} Names every bad variable at once, so that one restart fixes them all. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const parsed = Environment.safeParse(env)
  if (parsed.success) return parsed.data
  const lines = parsed.error.issues.map(({ path, message }) => {
    const name = path.join('.')
    return `${name} ${message}; got ${JSON.stringify(withoutPassword(env[name] ?? ''))}`
  })
  throw new ConfigError(lines.join('\n'))
}

/** What `docs/configuration.md` says of each variable, in the order of reading. */
export const settings = (): { name: string; default: string; meaning: string }[] =>
  Object.entries(Environment.shape).map(([name, field]) => ({
    name,
    default: String(Environment.parse({})[name as keyof Config]) || '(none)',
    meaning: field.description ?? '',
  }))

/** A text about to be shown, such as a database's URL. */
export const withoutPassword = (text: string) => text.replace(/:\/\/[^@/]*@/, '://…@')
