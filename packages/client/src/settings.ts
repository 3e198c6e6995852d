import { checkChain, checkName } from './check-names.ts'
import { InvalidInput } from './errors.ts'
import { type Logger, silent } from './log.ts'
import type { Default, Defaults, RegistryOptions } from './options.ts'
import { type Env, readEnvironment } from './platform.ts'
import { checkObject, isAtLeast, refuse } from './refuse.ts'
import type { SnapshotStore } from './snapshot-port.ts'
import type { Telemetry } from './telemetry.ts'
import type { VersionDraft } from './transport.ts'

/** Where a registry is looked for when nothing else is said. */
export const DEFAULT_TRACKING_URI = 'http://127.0.0.1:5055'

export interface Settings {
  readonly trackingUri: string
  readonly chain: readonly string[]
  readonly ttlMs: number
  readonly timeoutMs: number
  readonly defaults: ReadonlyMap<string, VersionDraft>
  readonly strict: boolean
  readonly logger: Logger
  readonly now: () => number
  readonly env: Env
  readonly maxEntries: number
  readonly promptsFolder: string
  readonly snapshot?: SnapshotStore | undefined
  readonly telemetry?: Telemetry | undefined
}

/** @throws {InvalidInput} naming the option, what was given and what is allowed */
export function readSettings(options: RegistryOptions): Settings {
  checkObject(options, 'options')
  const env = options.env ?? readEnvironment()
  const {
    trackingUri = env.MLFLOW_TRACKING_URI || DEFAULT_TRACKING_URI,
    alias = 'production',
    cacheTtlSeconds = 300,
    timeoutMs = 2000,
    defaults = {},
    strict = false,
    logger = silent,
    now = Date.now,
    maxEntries = 1000,
    promptsFolder = './prompts',
    snapshot,
    telemetry,
  } = options
  if (typeof trackingUri !== 'string')
    refuse('trackingUri', trackingUri, 'an address, such as http://127.0.0.1:5055')
  if (!isAtLeast(cacheTtlSeconds, 0)) refuse('cacheTtlSeconds', cacheTtlSeconds, 'a number of seconds from 0')
  if (!isAtLeast(timeoutMs, Number.MIN_VALUE))
    refuse('timeoutMs', timeoutMs, 'a number of milliseconds above 0')
  if (typeof strict !== 'boolean') refuse('strict', strict, 'true or false')
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    if (typeof logger?.[level] !== 'function')
      refuse(`logger.${level}`, logger?.[level], 'a function (fields, event)')
  }
  if (typeof now !== 'function') refuse('now', now, 'a function that returns milliseconds')
  if (!Number.isInteger(maxEntries) || maxEntries < 1)
    refuse('maxEntries', maxEntries, 'a whole number from 1')
  if (snapshot !== undefined && typeof snapshot?.read !== 'function')
    refuse('snapshot', snapshot, 'a store, such as snapshotFile(path)')
  if (telemetry !== undefined && typeof telemetry?.used !== 'function')
    refuse('telemetry', telemetry, 'a telemetry, such as openTelemetry()')
  if (typeof promptsFolder !== 'string') refuse('promptsFolder', promptsFolder, 'a path')
  return {
    trackingUri,
    chain: checkChain(alias),
    ttlMs: cacheTtlSeconds * 1000,
    timeoutMs,
    defaults: readDefaults(defaults),
    strict,
    logger,
    now,
    env,
    maxEntries,
    promptsFolder,
    snapshot,
    telemetry,
  }
}

/**
 * Bundled texts as drafts: copies that the caller can no longer change. What a load may serve is checked here, everything
 * else of them by `checkDrafts` before they are seeded.
 * @throws {InvalidInput} naming the prompt
 */
export function readDefaults(defaults: Defaults): ReadonlyMap<string, VersionDraft> {
  checkObject(defaults, 'defaults')
  return new Map(Object.entries(defaults).map(([name, given]) => [name, readDefault(name, given)]))
}

function readDefault(name: string, given: Default): VersionDraft {
  const at = `defaults["${name}"]`
  checkName(name, `${at}: name`)
  const isTemplate = typeof given === 'string' || Array.isArray(given)
  if (!isTemplate) checkObject(given, at)
  const draft = (isTemplate ? { template: given } : given) as Omit<VersionDraft, 'name'>
  const { template } = draft
  if (typeof template !== 'string' && !Array.isArray(template))
    refuse(`${at}: template`, template, 'a text, or a list of chat messages')
  if (template.length === 0 || (typeof template === 'string' && template.trim() === ''))
    throw new InvalidInput(
      `${at}: template is empty; it must hold some text, because an empty prompt is never served`,
    )
  return JSON.parse(JSON.stringify({ ...draft, name })) as VersionDraft
}
