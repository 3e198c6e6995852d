import type { MetricPoint, TrackedRun, Tracking } from './tracking-port.ts'

export interface LiveMetricOptions {
  readonly metric: string
  readonly tracking: Pick<Tracking, 'startRun'>
  /** MLflow experiment, as the guard's. Default `promptkeep-live`. */
  readonly experiment?: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Unique to this process: the guard compares versions by what one process saw. Default: a random UUID. */
  readonly newId?: (() => string) | undefined
}

/** Where observations go unless another MLflow experiment is named. */
export const LIVE_EXPERIMENT = 'promptkeep-live'

/** Tag of a run: whose observations it holds. */
export const SOURCE_TAG = 'promptkeep.source'

/** Observations of one metric by one process, for `promptkeep guard`. */
export interface LiveMetric {
  /** Notes one, from 0 to 1, of a prompt as it was loaded. Nothing is sent before `flush`. */
  observe(
    prompt: { readonly name: string; readonly version: number; readonly digest: string },
    value: number,
  ): void
  /** Sends what was noted: one run for each version. What could not be sent stays noted. @throws {EvalFailure} */
  flush(): Promise<void>
  /** The same, and ends the runs. */
  close(): Promise<void>
}

/** One run for each version and process: MLflow keeps one of two points that are alike, so each has a step of its own. */
export function createLiveMetric({ metric, tracking, now, ...options }: LiveMetricOptions): LiveMetric {
  interface Kept {
    readonly params: Readonly<Record<string, string>>
    readonly name: string
    waiting: MetricPoint[]
    steps: number
    run?: Promise<TrackedRun>
  }
  const source = (options.newId ?? (() => globalThis.crypto.randomUUID()))()
  const kept = new Map<string, Kept>()
  let flushing: Promise<void> = Promise.resolve()

  async function start({ name, params }: Kept): Promise<TrackedRun> {
    const { experiment = LIVE_EXPERIMENT } = options
    const run = await tracking.startRun({
      experiment,
      name,
      tags: { [SOURCE_TAG]: source },
      startedAt: now(),
    })
    await run.logParams(params)
    return run
  }

  async function send(one: Kept): Promise<void> {
    if (one.waiting.length === 0) return
    one.run ??= start(one).catch((error: unknown) => {
      delete one.run
      throw error
    })
    const run = await one.run
    const points = one.waiting
    one.waiting = []
    try {
      await run.logPoints(points)
    } catch (error) {
      one.waiting = [...points, ...one.waiting]
      throw error
    }
  }

  const flush = (): Promise<void> => {
    // One after the other: two at once would send a point twice after a failure.
    const next = flushing
      .catch(() => {})
      .then(async () => {
        for (const one of kept.values()) await send(one)
      })
    flushing = next
    return next
  }

  return {
    observe({ name, version, digest }, value) {
      if (!(value >= 0 && value <= 1)) throw new RangeError(`an observation is between 0 and 1, not ${value}`)
      const key = `${name} ${version} ${digest}`
      const one = kept.get(key) ?? {
        name: `${metric} of ${name} v${version}`,
        params: { [`prompt.${name}`]: `v${version}`, [`prompt_digest.${name}`]: digest },
        waiting: [],
        steps: 0,
      }
      kept.set(key, one)
      one.waiting.push({ key: metric, value, step: one.steps++, timestamp: now() })
    },
    flush,
    async close() {
      await flush()
      for (const { run } of kept.values()) await (await run)?.finish('FINISHED', now())
    },
  }
}
