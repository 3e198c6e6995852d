import { createHash } from 'node:crypto'
import { EvalFailure } from './errors.ts'
import { pause } from './pause.ts'
import type { LoggedRun, TrackedRun, Tracking } from './tracking-port.ts'

export interface ClaimsOptions {
  readonly tracking: Pick<Tracking, 'startRun' | 'findRuns'>
  /** MLflow experiment of the claims. */
  readonly experiment: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly signal: AbortSignal
  /** How long others have to show up before a claim is held, in milliseconds. Default 1000. */
  readonly settleMs?: number | undefined
  /** A holder shows this often that it is alive. Default 15 000. */
  readonly beatMs?: number | undefined
}

/** What happened to a piece of work that one of several watchers may do. */
export type Claimed =
  | { readonly state: 'ours'; release(outcome: string | undefined): Promise<void> }
  /** Somebody else is at it. */
  | { readonly state: 'taken' }
  /** Somebody did it. */
  | { readonly state: 'done'; readonly outcome: string }

export interface Claims {
  /**
   * @param subject - What makes the work this very work.
   * @param since - Milliseconds since the epoch: what was begun before is to be done again.
   * @throws {EvalFailure}
   */
  take(name: string, subject: readonly string[], since: number): Promise<Claimed>
}

const CLAIM = 'promptkeep.claim'
const HELD = 'promptkeep.claim.held'
const BEAT = 'promptkeep.claim.beat'
const OUTCOME = 'promptkeep.claim.outcome'

/** Beats that may be missed before a holder is taken for dead: by the clock of who watches it, for clocks differ. */
const MISSED_BEATS = 4

/**
 * Work that is done once by any number of processes, on any MLflow: each writes down in a run that it is at it, waits, and
 * looks who else did. Two may still do the same when one's requests take longer than that wait; so this spares work, and
 * nothing else may hang on it.
 */
export function createClaims(options: ClaimsOptions): Claims {
  const { tracking, experiment, now, signal, settleMs = 1000, beatMs = 15_000 } = options
  /** Others' claims: the last beat, and when it was first seen here. */
  const beats = new Map<string, { readonly beat: string; readonly at: number }>()

  async function findClaims(key: string): Promise<LoggedRun[]> {
    const filter = `tags.\`${CLAIM}\` = '${key}'`
    const found: LoggedRun[] = []
    let pageToken: string | undefined
    do {
      const page = await tracking.findRuns({ experiment, filter, pageToken })
      found.push(...page.runs)
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    return found
  }

  function isAlive({ id, status, tags }: LoggedRun): boolean {
    if (status !== 'RUNNING') return false
    const beat = tags[BEAT] ?? ''
    const known = beats.get(id)
    if (known?.beat !== beat) beats.set(id, { beat, at: now() })
    return known?.beat !== beat || now() - known.at < MISSED_BEATS * beatMs
  }

  return {
    async take(name, subject, since) {
      const key = createHash('sha256').update(JSON.stringify(subject)).digest('hex')
      const before = await findClaims(key)
      const done = before.find(
        ({ status, startedAt, tags }) => status === 'FINISHED' && startedAt >= since && tags[OUTCOME],
      )
      if (done) return { state: 'done', outcome: done.tags[OUTCOME] ?? '' }
      if (before.some(isAlive)) return { state: 'taken' }
      const tags = { [CLAIM]: key, [BEAT]: '0' }
      const run = await tracking.startRun({ experiment, name, tags, startedAt: now() })
      const others = async () => (await findClaims(key)).filter((one) => one.id !== run.id && isAlive(one))
      try {
        await pause(settleMs, signal)
        const rivals = await others()
        if (signal.aborted || rivals.some(({ id, tags }) => tags[HELD] !== undefined || id < run.id)) {
          await run.finish('KILLED', now())
          return { state: 'taken' }
        }
        await run.setTags({ [HELD]: 'true' })
      } catch (error) {
        await run.finish('KILLED', now()).catch(ignore)
        throw error
      }
      const stopBeating = beat(run)
      return {
        state: 'ours',
        async release(outcome) {
          await stopBeating()
          if (outcome !== undefined) await run.setTags({ [OUTCOME]: outcome })
          await run.finish(outcome === undefined ? 'KILLED' : 'FINISHED', now())
        },
      }
    },
  }

  /** @returns what ends it, once the beat under way is over */
  function beat(run: TrackedRun): () => Promise<void> {
    const over = new AbortController()
    const beating = (async () => {
      for (let count = 1; ; count++) {
        await pause(beatMs, over.signal)
        if (over.signal.aborted) return
        await run.setTags({ [BEAT]: String(count) }).catch(ignore) // the next one may come through
      }
    })()
    return async () => {
      over.abort()
      await beating
    }
  }
}

function ignore(error: unknown): void {
  if (!(error instanceof EvalFailure)) throw error
}
