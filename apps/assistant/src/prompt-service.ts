import { AsyncLocalStorage } from 'node:async_hooks'
import type {
  Change,
  Logger,
  ModelConfig,
  Prompt,
  PromptSet,
  PromptSource,
  PromptVersion,
  Registry,
  RegistryStatus,
  SeedReport,
  Template,
} from '@promptkeep/client'
import { InvalidInput } from '@promptkeep/client/protocol'
import type { PromptDefault } from './prompt-defaults.ts'
import { PROMPT_NAMES } from './prompt-map.ts'
import { createRunPrompts, type RunPrompts } from './run-prompts.ts'
import { createUsableSets } from './usable-set.ts'

/** What is known of a loaded prompt. */
export interface PromptVersionInfo {
  readonly name: string
  /** 0 for a bundled default. */
  readonly version: number
  /** The alias that answered; absent for a bundled default. */
  readonly alias: string | undefined
  readonly template: Template
  readonly modelConfig: ModelConfig | undefined
  readonly isFallback: boolean
}

export interface RunRequest {
  readonly correlationId: string
  /** Alias chain of this run; default: the registry's own. */
  readonly alias?: readonly string[] | undefined
  /** Whose side of a rollout: the same key gets the same versions. Absent: the versions that the aliases point at. */
  readonly key?: string | undefined
  /** Ask the registry now, whatever the cache holds: an eval's evidence must not be older than the eval. */
  readonly fresh?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PromptService {
  /** Makes what the registry lacks, in a budget of 5 s; what failed the registry tries again in the background. */
  seedPrompts(): Promise<SeedReport>
  /**
   * From now on a moved alias is in the next run at once, and the registry is told what runs here. Does not wait for the
   * registry; ends when it is closed.
   */
  follow(instance: { readonly app: string; readonly instance: string }): Promise<void>
  /** The text, unrendered. @throws {RegistryError} `INVALID_INPUT` for a chat prompt. */
  loadPrompt(name: string, alias?: string | readonly string[]): Promise<string>
  loadPromptVersion(name: string, alias?: string | readonly string[]): Promise<PromptVersionInfo>
  registerPrompt(
    name: string,
    template: Template,
    options?: { readonly commitMessage?: string; readonly modelConfig?: ModelConfig },
  ): Promise<PromptVersion>
  setAlias(name: string, alias: string, version: number): Promise<Change>
  /**
   * Versions by name, 0 for a bundled default. Inside a run: the run's. Outside: what this process loaded last, for
   * display only, since another request may have loaded it.
   */
  getActivePromptVersions(): Readonly<Record<string, number>>
  /** All eleven in one set, pinned for one run of the assistant. */
  loadRun(request: RunRequest): Promise<RunPrompts>
  /** Calls `fn` inside a run: loads in it log its correlation id, `getActivePromptVersions` answers for it. */
  inRun<T>(run: RunPrompts, correlationId: string, fn: () => T): T
  /** For readiness. While the registry is down, it is asked once more behind it. */
  status(): RegistryStatus
}

export interface PromptServiceOptions {
  /** Made with `PROMPT_DEFAULTS`, and with `registryLog(log)` as its logger: it writes the line of each load. */
  readonly registry: Registry
  readonly log: Logger
  /**
   * What answers in place of a version that no agent can use. Absent: such a version is an error, as evals want it.
   */
  readonly defaults?: Readonly<Record<string, PromptDefault>> | undefined
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number
}

/**
 * The registry's logger: every load is told at INFO, also one from the cache, which the registry itself whispers. A
 * set is one line already.
 */
export const registryLog = (log: Logger): Logger => ({
  debug: (fields, event) => log[event === 'prompt.loaded' ? 'info' : 'debug'](fields, event),
  info: (fields, event) => log.info(fields, event),
  warn: (fields, event) => log.warn(fields, event),
  error: (fields, event) => log.error(fields, event),
})

/** Not what this process heard from the registry: the bundled text, or what an earlier process heard. */
const isOlder = (source: PromptSource | undefined) => source === 'default' || source === 'snapshot'

export function createPromptService(options: PromptServiceOptions): PromptService {
  const { registry, log, defaults, now = Date.now } = options
  const usableSets = createUsableSets({ defaults, log, now })
  const current = new AsyncLocalStorage<{ run: RunPrompts; correlationId: string }>()
  const lastLoaded = new Map<string, number>()
  let isProbing = false
  /** Of loads that asked for this process's own alias: one request's override is no state of the process. */
  let ownFallback: RegistryStatus['lastFallback']

  /** The registry's own note may be of a request with an override that ran beside this one. */
  function noteFallback({ names, versions }: PromptSet) {
    const { lastFallback } = registry.status()
    const name = names.find((each) => isOlder(versions[each]?.source))
    const source = name && versions[name]?.source
    if (!source || !lastFallback) return
    ownFallback = { ...lastFallback, prompt: name, source, at: now() }
  }

  /** Asks once whether the registry is back: without it, only the next chat would find out. */
  function probe() {
    if (isProbing) return
    isProbing = true
    void registry
      .list({ limit: 1 })
      .catch(() => undefined)
      .finally(() => {
        isProbing = false
      })
  }

  /** Whose call it is, where that is known. */
  function logFields(): Readonly<Record<string, string>> {
    const correlationId = current.getStore()?.correlationId
    return correlationId === undefined ? {} : { correlationId }
  }

  async function load(
    name: string,
    alias?: string | readonly string[],
    signal?: AbortSignal,
  ): Promise<Prompt> {
    const prompt = await registry.load(name, { alias, signal, logFields: logFields() })
    lastLoaded.set(name, prompt.version)
    return prompt
  }

  return {
    seedPrompts: () => registry.seed(),
    async follow(report) {
      await registry.follow({ report })
    },
    async loadPrompt(name, alias) {
      const { template, version } = await load(name, alias)
      if (typeof template === 'string') return template
      throw new InvalidInput(`Prompt ${name} version ${version} is a chat prompt, not a text`)
    },
    async loadPromptVersion(name, alias) {
      const { version, alias: answered, template, modelConfig, isFallback } = await load(name, alias)
      return { name, version, alias: answered, template, modelConfig, isFallback }
    },
    async registerPrompt(name, template, { commitMessage, modelConfig } = {}) {
      const registered = await registry.register({ name, template, commitMessage, modelConfig })
      log.info({ prompt: name, version: registered.version, ...logFields() }, 'prompt.registered')
      return registered
    },
    setAlias: (name, alias, version) => registry.setAlias(name, alias, version),
    getActivePromptVersions() {
      const inside = current.getStore()
      if (!inside) return Object.fromEntries(lastLoaded)
      return Object.fromEntries(PROMPT_NAMES.map((name) => [name, inside.run.get(name).version]))
    },
    async loadRun({ correlationId, alias, key, fresh, signal }) {
      const set = await registry.loadSet(PROMPT_NAMES, {
        ...{ alias, key, signal },
        maxAgeMs: fresh ? 0 : undefined,
        logFields: { correlationId },
      })
      if (alias === undefined) noteFallback(set)
      const usable = await usableSets.from(set, {
        correlationId,
        isOverride: alias !== undefined,
        pointedAt: key === undefined ? undefined : (name) => load(name, alias, signal),
      })
      for (const name of usable.names) lastLoaded.set(name, usable.get(name).version)
      return createRunPrompts(usable)
    },
    inRun: (run, correlationId, fn) => current.run({ run, correlationId }, fn),
    status() {
      const { lastFallback: _any, ...status } = registry.status()
      if (status.state === 'down') probe()
      const unusable = usableSets.last()
      const last = (ownFallback?.at ?? 0) > (unusable?.at ?? 0) ? ownFallback : unusable
      return { ...status, ...(last ? { lastFallback: last } : {}) }
    },
  }
}
