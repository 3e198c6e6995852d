import { type ErrorCode, RegistryError } from './errors.ts'
import { createLogRecorder, type LogRecorder } from './log-recorder.ts'
import { createMemoryTransport, type MemoryTransport } from './memory.ts'
import type { Default, RegistryOptions } from './options.ts'
import type { Prompt, PromptVersion } from './prompt.ts'
import { createRegistry } from './registry.ts'
import type { Registry } from './registry-api.ts'
import type { VersionDraft } from './transport.ts'
import type { AnyPrompts, DefaultsFor, PromptCatalog, PromptName } from './typed.ts'
import { checkDraft } from './validate.ts'

export interface TestRegistryOptions<P extends PromptCatalog = AnyPrompts>
  extends Omit<RegistryOptions<P>, 'transport' | 'trackingUri' | 'env'> {
  /** What the registry holds from the start, each as version 1 behind the alias. `defaults` are the app's own texts. */
  readonly prompts?: DefaultsFor<P> | undefined
  /** Default 0: every load asks, so that `set` is seen at once. */
  readonly cacheTtlSeconds?: number
  /** Default 50: a test of a registry that hangs need not take long. */
  readonly timeoutMs?: number
}

/** A registry for tests: what an app is given, and beside it what a test does to it and learns from it. */
export interface TestRegistry<P extends PromptCatalog = AnyPrompts> extends Registry<P> {
  /**
   * Publishes a text as another process would: a new version, with the alias (default: the registry's own; of a chain the
   * last) pointing at it. Works during a fault too. Loads that begin afterwards see it, also before this resolves.
   * @throws {InvalidInput}
   */
  set(name: PromptName<P>, content: Default, options?: { readonly alias?: string }): Promise<PromptVersion>
  /** Deletes a prompt as another process would. */
  remove(name: PromptName<P>): Promise<void>
  /** From now on nobody answers: a load takes `timeoutMs`, and then what it has. */
  hang(): void
  /** From now on every request is answered with this error. Default `UNAVAILABLE`, an outage. */
  fail(code?: ErrorCode): void
  /** From now on every answer takes so long, in milliseconds. */
  slow(ms: number): void
  /** Ends `hang`, `fail` or `slow`; when it resolves loads ask again. */
  heal(): Promise<void>
  /** Every prompt that a load answered, from wherever, in order. */
  readonly loads: readonly Prompt[]
  /** What the registry logged. */
  readonly log: LogRecorder
  /** What is behind it, for finer faults and for every call that was made. */
  readonly transport: MemoryTransport
}

/**
 * A registry without a server, for tests of programs that load prompts: `createTestRegistry({ prompts: { memory: 'Hello
 * {{ who }}' } })`. The real client on a registry in memory: cache, fallback, errors and logs are those of production. It
 * leaves no timer behind once it is closed.
 * @throws {InvalidInput} for bad options, and for texts that no registry would take
 */
export function createTestRegistry<P extends PromptCatalog = AnyPrompts>(
  options: TestRegistryOptions<P> = {},
): TestRegistry<P> {
  const { prompts = {}, logger, telemetry, now = Date.now, ...rest } = options
  const chain = typeof rest.alias === 'string' ? [rest.alias] : (rest.alias ?? ['production'])
  const ownAlias = chain.findLast((alias) => alias !== 'latest') ?? 'production'
  const transport = createMemoryTransport({ now })
  const log = createLogRecorder(logger)
  const loads: Prompt[] = []
  const registry = createRegistry<P>({
    cacheTtlSeconds: 0,
    timeoutMs: 50,
    ...rest,
    now,
    env: {},
    transport,
    logger: log.logger,
    telemetry: {
      used(prompt) {
        loads.push(prompt)
        telemetry?.used(prompt)
      },
      cold: (about, work) => (telemetry ? telemetry.cold(about, work) : work()),
    },
  })

  const drafts = Object.entries<Default | undefined>(prompts).map(([name, content]) => toDraft(name, content))
  // Nobody needs to wait for these: what is planted is there for every later call.
  for (const draft of drafts) void transport.plant(draft, ownAlias)

  return {
    ...registry,
    async set(name, content, { alias = ownAlias } = {}) {
      return transport.plant(toDraft(name, content), alias)
    },
    async remove(name) {
      transport.remove(name)
    },
    hang: () => transport.fault({ kind: 'hang' }),
    fail(code = 'UNAVAILABLE') {
      transport.fault({
        kind: 'error',
        error: new RegistryError(code, `${transport.address} fails: ${code}`),
      })
    },
    slow: (ms) => transport.fault({ kind: 'slow', ms }),
    async heal() {
      transport.fault()
      // Its answer ends the pause in which nobody is asked after an outage.
      await registry.capabilities()
    },
    loads,
    log,
    transport,
  }
}

function toDraft(name: string, content: Default | undefined): VersionDraft {
  const isTemplate = typeof content === 'string' || Array.isArray(content)
  return checkDraft({ name, ...(isTemplate ? { template: content } : (content as object)) })
}
