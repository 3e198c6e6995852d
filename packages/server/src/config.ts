import { z } from 'zod'
import { isLoopback } from './loopback.ts'

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

/** Every knob: its unit in its name, its default here only. */
const Environment = z.object({
  HOST: z
    .string()
    .refine(
      isLoopback,
      'must be a loopback address (127.0.0.1, ::1 or localhost) until the server has tokens',
    )
    .default('127.0.0.1')
    .describe('address to listen on; loopback only'),
  PORT: whole(0, 65_535).default(5055).describe('port to listen on; 0 takes a free one'),
  DATABASE_URL: z
    .string()
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'must be sqlite:<file>, sqlite::memory: or postgres://…')
    .default('sqlite:./.promptkeep/registry.db')
    .describe('where prompts, versions and runs are kept'),
  SHUTDOWN_GRACE_MS: whole(0, 600_000)
    .default(5000)
    .describe('how long running requests may take when the server stops'),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], 'must be debug, info, warn, error or silent')
    .default('info')
    .describe('least severe line that is written'),
  ALLOW_MODEL_CONFIG_EDIT: z
    .enum(['true', 'false'], 'must be true or false')
    .default('false')
    .transform((value) => value === 'true')
    .describe("takes MLflow's set_prompt_model_config, which edits a version in place"),
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
    default: String(Environment.parse({})[name as keyof Config]),
    meaning: field.description ?? '',
  }))

const withoutPassword = (text: string) => text.replace(/:\/\/[^@/]*@/, '://…@')
