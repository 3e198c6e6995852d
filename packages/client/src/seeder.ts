import { withDeadline } from './deadline.ts'
import { digestOf } from './digest.ts'
import { isRegistryError, RegistryError } from './errors.ts'
import type { Logger } from './log.ts'
import type { SeedReport } from './options.ts'
import type { Timers } from './timers.ts'
import type { RequestOptions, SeedOutcome, Transport, VersionDraft } from './transport.ts'

/** A start of the app waits no longer than this. */
const BUDGET_MS = 5_000
/** A hanging registry is noticed before the budget is spent. */
const PROMPT_TIMEOUT_MS = 3_000
const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 15_000
/** Prompts on their way at a time: a slow registry still fits the budget. */
const LANES = 4

export interface Seeder {
  /** @returns when all is done, at the first outage or refusal, or when the budget is spent. Never throws for those. */
  seed(drafts: ReadonlyMap<string, VersionDraft>, options: RequestOptions): Promise<SeedReport>
  /** Names from the last pass whose default is not what the registry says. */
  readonly drifted: readonly string[]
}

export interface SeederOptions {
  readonly transport: Transport
  readonly alias: string
  readonly timers: Timers
  readonly random: () => number
  readonly logger: Logger
  readonly closing: AbortSignal
  /** The command that publishes the defaults, or that fetches what the registry says. */
  readonly command: (direction: 'push' | 'pull') => string
  /** Made something; `version` is what the alias says now. */
  readonly onSeeded: (name: string, version: number) => void
  readonly onTrouble: (error: RegistryError) => void
  readonly onAnswer: (name: string) => void
}

export function createSeeder(options: SeederOptions): Seeder {
  const { transport, alias, timers, random, logger, closing, onSeeded, onTrouble, onAnswer } = options
  const pending = new Map<string, VersionDraft>()
  const drifted = new Set<string>()
  let retryMs = FIRST_RETRY_MS

  /** One try at everything in `drafts`; what is left over is tried again in the background. */
  async function pass(drafts: readonly VersionDraft[], limits: RequestOptions): Promise<SeedReport> {
    const outcomes = new Map<string, SeedOutcome>()
    const queue = [...drafts]
    let trouble: RegistryError | undefined

    async function lane(signal: AbortSignal): Promise<void> {
      while (!trouble && !signal.aborted) {
        const draft = queue.shift()
        if (!draft) return
        try {
          outcomes.set(draft.name, await seedOne(draft, signal))
        } catch (error) {
          if (!signal.aborted) trouble = troubleOf(error)
        }
      }
    }

    try {
      const signal = limits.signal ? AbortSignal.any([closing, limits.signal]) : closing
      const timeoutMs = limits.timeoutMs ?? BUDGET_MS
      await withDeadline({ signal, timeoutMs }, 'seeding', async (signal) => {
        await Promise.all(Array.from({ length: LANES }, () => lane(signal)))
      })
    } catch (error) {
      limits.signal?.throwIfAborted()
      trouble ??= troubleOf(error)
    }
    for (const draft of drafts) {
      // What failed goes to the end of the line: one bad prompt must not keep the others from their turn.
      pending.delete(draft.name)
      if (!outcomes.has(draft.name)) pending.set(draft.name, draft)
    }
    return conclude(drafts, outcomes, trouble)
  }

  async function seedOne(draft: VersionDraft, signal: AbortSignal): Promise<SeedOutcome> {
    const digest = await digestOf(draft)
    const { outcome, current } = await transport.seed(
      { ...draft, alias },
      { signal, timeoutMs: PROMPT_TIMEOUT_MS },
    )
    onAnswer(draft.name)
    if (current && outcome !== 'skipped') onSeeded(draft.name, current.version)
    if (!current || current.digest === digest) drifted.delete(draft.name)
    else await reportDrift(draft, digest, current, signal)
    return outcome
  }

  /** A default that the registry once held is merely older than it; one that it never held awaits publication. */
  async function reportDrift(
    { name }: VersionDraft,
    defaultDigest: string,
    { version, digest }: { readonly version: number; readonly digest: string },
    signal: AbortSignal,
  ): Promise<void> {
    drifted.add(name)
    const known = await transport
      .versions(name, { limit: 1000 }, { signal, timeoutMs: PROMPT_TIMEOUT_MS })
      .catch(() => undefined)
    const isOlder = known?.items.some((v) => v.digest === defaultDigest) ?? false
    const direction = isOlder ? 'pull' : 'push'
    const fields = {
      prompt: name,
      alias,
      version,
      digest,
      defaultDigest,
      command: options.command(direction),
    }
    logger[isOlder ? 'info' : 'warn'](fields, 'prompt.drifted')
  }

  function conclude(
    drafts: readonly VersionDraft[],
    outcomes: ReadonlyMap<string, SeedOutcome>,
    trouble: RegistryError | undefined,
  ): SeedReport {
    const names = drafts.map(({ name }) => name)
    const having = (outcome?: SeedOutcome) => names.filter((name) => outcomes.get(name) === outcome)
    const report: SeedReport = {
      seeded: having('seeded'),
      skipped: having('skipped'),
      healed: having('healed'),
      drifted: names.filter((name) => drifted.has(name)),
      failed: having(undefined),
    }
    const counts = Object.fromEntries(Object.entries(report).map(([key, list]) => [key, list.length]))
    if (trouble) {
      onTrouble(trouble)
      const isFirst = retryMs === FIRST_RETRY_MS
      const fields = { ...counts, code: trouble.code, err: trouble, retryMs }
      logger[isFirst ? 'warn' : 'debug'](fields, 'prompts.seed_stopped')
    }
    if (pending.size === 0) retryMs = FIRST_RETRY_MS
    else tryAgainLater()
    if (outcomes.size > 0 || !trouble) logger.info(counts, 'prompts.seeded')
    return report
  }

  function tryAgainLater(): void {
    if (closing.aborted) return
    timers.after('seed', retryMs * (0.8 + 0.4 * random()), () => {
      pass([...pending.values()], {}).catch(() => {}) // reported inside; rejects only for a caller's signal
    })
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)
  }

  return {
    seed(drafts, limits) {
      retryMs = FIRST_RETRY_MS
      return pass([...drafts.values()], limits)
    },
    get drifted() {
      return [...drifted]
    },
  }
}

const troubleOf = (cause: unknown): RegistryError =>
  isRegistryError(cause)
    ? cause
    : new RegistryError('UNAVAILABLE', `seeding failed: ${String(cause)}`, { cause })
