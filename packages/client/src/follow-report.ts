import { hasCode } from './errors.ts'
import type { FollowOptions } from './follow-api.ts'
import type { Http } from './http.ts'
import type { LiveCache } from './live-cache.ts'
import { OWN_ROOT } from './own-wire.ts'
import type { Timers } from './timers.ts'

/** Moves come in flocks, and a load has to take what was moved. */
const SOON_MS = 500
const EVERY_MS = 30_000
/** `close` waits for the last one. */
const TIMEOUT_MS = 2_000
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
  let wasSent = false
  /** One after the other: an older report, or one after `gone`, must not be the last that is heard. */
  let sending = Promise.resolve()
  /** Of the next report, by the clock that is never set. */
  let dueAt = Number.POSITIVE_INFINITY

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
      if (hasCode(error, 'FORBIDDEN', 'UNAUTHENTICATED')) isOver = true // the next one is taken no better
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

  async function tell(): Promise<void> {
    await sending
    if (isOver) return
    wasSent = true
    sending = send({ seq: seq(), prompts: runs() })
    await sending
    after(EVERY_MS)
  }

  /** What is due before that stays so: changes without end must not put it off. */
  function after(ms: number): void {
    const at = performance.now() + ms
    if (isOver || at >= dueAt) return
    dueAt = at
    timers.after('report', ms, () => {
      dueAt = Number.POSITIVE_INFINITY
      void tell()
    })
  }

  return {
    soon: () => after(SOON_MS),
    async end() {
      const wasOver = isOver
      isOver = true
      await sending
      if (!wasOver && wasSent) await send({ gone: true })
    },
  }
}
