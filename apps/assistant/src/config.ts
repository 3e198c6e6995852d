import { z } from 'zod'

/** A setting cannot be used; `message` names every bad variable and what it may be. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message)
    this.name = new.target.name
  }
}

const digits = (what: string) => z.string().regex(/^\d+$/, `must be ${what}`)
const whole = (what: string, min: number, max = Number.MAX_SAFE_INTEGER) =>
  digits(what)
    .transform(Number)
    .pipe(z.int().min(min, `must be ${what}`).max(max, `must be ${what}`))
const decimal = (what: string, min: number, max: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, `must be ${what}`)
    .transform(Number)
    .pipe(z.number().min(min, `must be ${what}`).max(max, `must be ${what}`))
const httpUrl = z
  .string()
  .refine((text) => /^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : ''), {
    error: 'must be an http:// or https:// address',
  })
  .transform((text) => text.replace(/\/+$/, ''))
const flag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((text) => text === 'true')
const names = (text: string) => text.split(',').map((name) => name.trim())

/** Names that MLflow keeps for itself. */
export const isReservedAlias = (alias: string): boolean => /^(latest|v\d+)$/i.test(alias)

/** MLflow's grammar of alias names, without the two forms that it reserves. */
const aliasChain = z
  .string()
  .transform(names)
  .refine((chain) => chain.every((alias) => /^[\w-]{1,255}$/.test(alias)), {
    error: 'must be alias names of letters, digits, "_" and "-", separated by commas',
  })
  .refine((chain) => !chain.some(isReservedAlias), {
    error: '"latest" and "v" with digits are reserved and cannot be aliases',
  })
const sqliteUrl = z
  .string()
  .regex(/^sqlite:.+/, 'must be sqlite:<file> or sqlite::memory: (memory search needs SQLite FTS5)')

/**
 * Every setting of the assistant: its unit is in its name, its default is here only. `docs/assistant.md` lists
 * them. `undefined` and an empty value both mean "the default".
 */
const Environment = z.object({
  ASSISTANT_PORT: whole('a port from 0 to 65535', 0, 65_535).default(8000),
  ASSISTANT_DATABASE: sqliteUrl.default('sqlite:./.promptkeep/assistant.db'),
  LOG_LEVEL: z
    .string()
    .toLowerCase()
    .pipe(
      z.enum(['debug', 'info', 'warn', 'error', 'silent'], {
        error: 'must be one of debug, info, warn, error, silent',
      }),
    )
    .default('info'),
  MLFLOW_TRACKING_URI: httpUrl.default('http://127.0.0.1:5055'),
  PROMPT_CACHE_TTL_SECONDS: decimal('0 or more seconds', 0, 31_536_000).default(300),
  PROMPT_ALIAS: aliasChain.default(['production']),
  /** Absent: nothing of the registry is kept on the disk. */
  PROMPT_SNAPSHOT_FILE: z.string().optional(),
  ALLOW_PROMPT_OVERRIDE: flag.default(false),
  /** Absent: the demo model answers. */
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_BASE_URL: httpUrl.default('https://api.openai.com/v1'),
  OPENAI_MODEL: z.string().default('gpt-4.1'),
  ALLOWED_MODELS: z
    .string()
    .transform((text) => names(text).filter((name) => name !== ''))
    .default([]),
  TEMPERATURE: decimal('a number from 0 to 2', 0, 2).optional(),
  MAX_TOKENS: whole('a whole number, at least 1', 1).optional(),
  TIMEOUT_SECONDS: decimal('more than 0 seconds, at most 600', 0.001, 600).default(30),
  HEARTBEAT_SECONDS: decimal('more than 0 seconds, at most 300', 0.001, 300).default(15),
  HISTORY_TOKEN_BUDGET: whole('a whole number of tokens, 0 or more', 0).default(4000),
  MEMORY_READS_PER_MINUTE: whole('a whole number, at least 1', 1).default(10),
  MEMORY_WRITES_PER_CONVERSATION: whole('a whole number, at least 1', 1).default(10),
  MEMORY_WRITES_PER_HOUR: whole('a whole number, at least 1', 1).default(25),
  OPENWEATHERMAP_API_KEY: z.string().optional(),
  WEATHER_API_BASE_URL: httpUrl.default('https://api.openweathermap.org/data/2.5'),
  WEATHER_API_TIMEOUT_SECONDS: decimal('more than 0 seconds, at most 60', 0.001, 60).default(5),
  WEATHER_CACHE_CURRENT_SECONDS: whole('a whole number of seconds, 0 or more', 0).default(600),
  WEATHER_CACHE_FORECAST_SECONDS: whole('a whole number of seconds, 0 or more', 0).default(1800),
  SHUTDOWN_GRACE_SECONDS: decimal('more than 0 seconds, at most 300', 0.001, 300).default(5),
})

/** Names of all settings. */
export const SETTINGS: readonly string[] = Object.freeze(Object.keys(Environment.shape))

export type Config = Readonly<z.infer<typeof Environment>>

/** What a process hands over: `process.env`, or a test's own table. */
export type Env = Readonly<Record<string, string | undefined>>

/** @throws {ConfigError} Names every bad variable at once, so one restart fixes them all. */
export function readConfig(env: Env): Config {
  const given = Object.fromEntries(
    SETTINGS.flatMap((key) => {
      const value = env[key]?.trim()
      return value ? [[key, value]] : []
    }),
  )
  const parsed = Environment.safeParse(given)
  if (!parsed.success) throw new ConfigError(describe(parsed.error, given))
  const { OPENAI_MODEL, ALLOWED_MODELS } = parsed.data
  return Object.freeze({
    ...parsed.data,
    ALLOWED_MODELS: [...new Set([OPENAI_MODEL, ...ALLOWED_MODELS])],
  })
}

const SECRET = /KEY|TOKEN$|PASSWORD|SECRET/

function describe(error: z.ZodError, given: Readonly<Record<string, string>>): string {
  return error.issues
    .map(({ path, message }) => {
      const name = String(path[0])
      const value = SECRET.test(name) ? '' : `, not ${JSON.stringify(given[name])}`
      return `${name} ${message}${value}`
    })
    .join('; ')
}
