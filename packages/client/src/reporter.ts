import { defined } from './defined.ts'
import { hasCode, isOutage, isRegistryError, type RegistryError } from './errors.ts'
import { type Logger, silent } from './log.ts'
import type { RegistryStatus } from './options.ts'
import type { Prompt, PromptSet, PromptSource } from './prompt.ts'
import type { Wanted } from './question.ts'

type Fields = Readonly<Record<string, string>>

export interface Fallback {
  readonly name: string
  readonly wanted: Wanted
  readonly source: PromptSource
  /** Why the registry's own answer could not be had. */
  readonly cause: unknown
  readonly logFields: Fields
}

/** Says what happened, in the log and to readiness: never the text of a prompt. */
export interface Reporter {
  loaded(prompt: Prompt, logFields: Fields): void
  resolved(set: PromptSet, logFields: Fields): void
  /**
   * One WARN per prompt and outage, until the registry answers for the prompt again; one for each version that is not
   * as it should be, which the registry's next answer does not change.
   */
  fellBack(fallback: Fallback): void
  /** `name` when the answer was this prompt's value. */
  answered(name: string | undefined, endedOutage: boolean): void
  trouble(error: RegistryError): void
  status(): Omit<RegistryStatus, 'drifted'>
}

export function createReporter({ logger, now }: { logger: Logger; now: () => number }): Reporter {
  /** Prompt → kind of trouble that was warned of. */
  const warned = new Map<string, 'outage' | 'other'>()
  /** Messages about versions, of which something else was served. */
  const noted = new Set<string>()
  let state: RegistryStatus['state'] = 'unknown'
  let lastError: RegistryStatus['lastError']
  let lastFallback: RegistryStatus['lastFallback']

  return {
    loaded(prompt, logFields) {
      if (logger === silent) return // a cached load is too quick to describe it for nobody
      const { source } = prompt
      logger[source === 'cache' ? 'debug' : 'info'](
        { prompt: prompt.name, ...described(prompt), ...logFields },
        'prompt.loaded',
      )
    },
    resolved(set, logFields) {
      const prompts = Object.fromEntries(set.names.map((name) => [name, described(set.get(name))]))
      logger.info({ prompts, fingerprint: set.fingerprint, ...logFields }, 'prompts.resolved')
    },
    fellBack({ name, wanted, source, cause, logFields }) {
      const asked = 'chain' in wanted ? { alias: wanted.chain.join(',') } : wanted
      const code = isRegistryError(cause) ? cause.code : 'UNAVAILABLE'
      const message = cause instanceof Error ? cause.message : String(cause)
      lastFallback = { prompt: name, ...('alias' in asked && asked), source, code, message, at: now() }
      const kind = isOutage(cause) ? 'outage' : 'other'
      if (kind === 'outage') state = 'down' // also before the request itself has given up
      const isNoted = source !== 'default' && hasCode(cause, 'DIGEST_MISMATCH', 'VERSION_NOT_FOUND')
      if (isNoted ? noted.has(message) : warned.get(name) === kind) return
      if (isNoted) noted.add(message)
      else warned.set(name, kind)
      logger.warn({ prompt: name, ...asked, source, code, err: cause, ...logFields }, 'prompt.fell_back')
    },
    answered(name, endedOutage) {
      state = 'up'
      if (name !== undefined) warned.delete(name)
      if (endedOutage) for (const [prompt, kind] of warned) if (kind === 'outage') warned.delete(prompt)
    },
    trouble(error) {
      state = isOutage(error) ? 'down' : 'up'
      lastError = { code: error.code, message: error.message, at: now() }
    },
    status: () => ({ state, ...defined({ lastError, lastFallback }) }),
  }
}

function described({ version, alias, source, isFallback }: Prompt) {
  return { version, ...defined({ alias }), source, isFallback }
}
