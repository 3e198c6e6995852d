import { hasCode } from './errors.ts'
import type { FollowOptions } from './follow-api.ts'
import type { Http } from './http.ts'
import type { LiveCache } from './live-cache.ts'
import { OWN_ROOT } from './own-wire.ts'
import type { Timers } from './timers.ts'

/** Moves come in flocks, and a load has to take what was moved. */
const SOON_MS = 500
const EVERY_MS = 30_000
const TIMEOUT_MS = 5_000
/** The server takes no more of one instance. */
const MOST_PROMPTS = 1_000

export interface ReportsOptions {
  readonly http: Http
  readonly cache: LiveCache
  readonly report: NonNullable<FollowOptions['report']>
  readonly timers: Timers
  readonly seq: () => number | undefined
}

/** Tells the registry what runs here: a courtesy, so nothing waits for it and nothing fails by it. */
export interface Reports {
  /** Something may have changed. */
  soon(): void
  /** This instance is gone. */
  end(): Promise<void>
}

export function createReports({ http, cache, report, timers, seq }: ReportsOptions): Reports {
  const { app, instance = crypto.randomUUID().slice(0, 8) } = report
  let isOver = false

  async function send(body: object): Promise<void> {
    try {
      await http.within({ timeoutMs: TIMEOUT_MS }, (send) =>
        send({
          method: 'POST',
          path: `${OWN_ROOT}/fleet`,
          body: { app, instance, ...body },
          beforeRetry: 'never', // the next one says more
        }),
      )
    } catch (error) {
      // A server that knows no fleet, or does not take this report, takes the next one no better.
      if (hasCode(error, 'INVALID_INPUT', 'FORBIDDEN', 'UNAUTHENTICATED')) isOver = true
    }
  }

  function runs() {
    const prompts = cache
      .aliases()
      .flatMap(({ name, alias, version, digest, usedAt }) =>
        version === undefined ? [] : [{ name, alias, version, digest, usedAt }],
      )
    prompts.sort((a, b) => b.usedAt - a.usedAt)
    return prompts.slice(0, MOST_PROMPTS).map(({ usedAt: _, ...prompt }) => prompt)
  }

  const at = (ms: number) => {
    if (isOver) return
    timers.after('fleet report', ms, () => {
      void send({ seq: seq(), prompts: runs() }).finally(() => at(EVERY_MS))
    })
  }

  return {
    soon: () => at(SOON_MS),
    async end() {
      const wasOver = isOver
      isOver = true
      if (!wasOver) await send({ gone: true })
    },
  }
}
