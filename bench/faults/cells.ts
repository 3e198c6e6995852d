import { setTimeout as pause } from 'node:timers/promises'
import type { ClientUnderTest, Seen } from './client-under-test.ts'
import type { Fault } from './fault-server.ts'
import type { Served } from './texts.ts'

/** Longest that a load of ours takes: without an older value, and with one. */
const COLD_MS = 2_000
const KNOWN_MS = 250

/** What was seen in one cell. */
export interface Sight {
  /** Every load that the fault met, in order. */
  readonly loads: readonly Seen[]
  readonly requests: number
  /** Time until the outage's end was seen, where that is the question. */
  readonly recoveredMs?: number
  readonly heldMiB?: number
  /** All waits together, where the question is who pays for an outage. */
  readonly waitedMs?: number
}

export interface Cell {
  readonly what: string
  /** Seconds; short where it has to be over. */
  readonly ttlSeconds: number
  /** Longest that a load of ours may take. */
  readonly deadlineMs: number
  /** Longest until the end of an outage is seen. */
  readonly recoveryMs?: number
  /** What may be served. Ours has a bundled text, so an error is never right; of a rival it is honest. */
  readonly right: readonly Served[]
  /** Most requests of ours. */
  readonly mostRequests: number
  /** Whether every client is soon done with it: part of a small run. */
  readonly isQuick: boolean
  run(client: ClientUnderTest): Promise<Sight>
}

/** What apps use; and one that a bench can wait for. */
const TTL = 60
const SHORT_TTL = 2
/** Loads that an outage meets, and the pause between them: it is to be paid for once, and not by each. */
export const LOADS = 20
const EVERY_MS = 75

interface NamedFault {
  readonly what: string
  readonly fault: Fault
  /** The service is well again, this long after it said no. */
  readonly endsAfterMs?: number
  readonly rightCold: readonly Served[]
  readonly rightKnown: readonly Served[]
  readonly isQuick?: boolean
}

/** No answer, or none that says anything of the prompt: what is known stays, else what is bundled. */
const outage = { rightCold: ['fallback'], rightKnown: ['old'] } as const

const FAULTS: readonly NamedFault[] = [
  { what: 'hang', fault: { kind: 'hang' }, ...outage },
  { what: 'reset in mid-body', fault: { kind: 'reset' }, ...outage },
  { what: '500', fault: { kind: 'status', status: 500 }, ...outage },
  { what: '401', fault: { kind: 'status', status: 401 }, ...outage, isQuick: true },
  {
    what: '429, Retry-After 1 s, then well',
    fault: { kind: 'status', status: 429, retryAfterSeconds: 1 },
    endsAfterMs: 900,
    rightCold: ['new', 'fallback'],
    rightKnown: ['new', 'old'],
  },
  {
    what: '503, Retry-After 30 s',
    fault: { kind: 'status', status: 503, retryAfterSeconds: 30 },
    ...outage,
  },
  { what: 'slow drip', fault: { kind: 'drip' }, ...outage },
  { what: 'garbage for JSON', fault: { kind: 'garbage' }, ...outage },
  { what: 'JSON of another shape', fault: { kind: 'shape' }, ...outage },
  {
    what: 'empty text',
    fault: { kind: 'empty' },
    rightCold: ['fallback'],
    rightKnown: ['old', 'fallback'],
    isQuick: true,
  },
  {
    // A service that answers "there is none" is to be believed: the old text would be served for ever.
    what: '404',
    fault: { kind: 'gone' },
    rightCold: ['fallback'],
    rightKnown: ['fallback'],
  },
]

/** The bench waits no longer for the end of an outage to be seen. */
export const LONGEST_RECOVERY_MS = 30_000

const counted = async (client: ClientUnderTest, work: () => Promise<readonly Seen[]>): Promise<Sight> => {
  const before = client.server.requests
  const loads = await work()
  return { loads, requests: client.server.requests - before }
}

function begin({ server }: ClientUnderTest, { fault, endsAfterMs }: NamedFault): void {
  server.fault = fault
  if (endsAfterMs !== undefined)
    server.onRequest = () => {
      setTimeout(() => {
        server.fault = { kind: 'none' }
      }, endsAfterMs)
    }
}

/** Loads one after the other; more than one, so that what each pays is seen. */
async function loadSome(client: ClientUnderTest, times: number, everyMs: number): Promise<Seen[]> {
  const seen: Seen[] = []
  for (let i = 0; i < times; i++) {
    seen.push(...(await client.load('memory')))
    if (i < times - 1) await pause(everyMs)
  }
  return seen
}

const cold = (named: NamedFault): Cell => ({
  what: `cold, ${named.what}`,
  ttlSeconds: TTL,
  deadlineMs: COLD_MS,
  right: named.rightCold,
  mostRequests: 4,
  isQuick: named.isQuick ?? false,
  async run(client) {
    begin(client, named)
    return counted(client, () => client.load('memory'))
  },
})

const expired = (named: NamedFault): Cell => ({
  what: `known and expired, ${named.what}`,
  ttlSeconds: SHORT_TTL,
  deadlineMs: KNOWN_MS,
  right: named.rightKnown,
  mostRequests: 12,
  isQuick: false,
  async run(client) {
    await client.load('memory')
    client.server.version = 2
    begin(client, named)
    return counted(client, async () => {
      await pause(client.ttlMs + 400)
      return loadSome(client, LOADS, EVERY_MS)
    })
  },
})

const herd = (count: number, fault: Fault, more: Partial<Cell>): Cell => ({
  what: `${count.toLocaleString('en')} cold at once`,
  ttlSeconds: TTL,
  deadlineMs: COLD_MS,
  right: ['new'],
  mostRequests: 1,
  isQuick: false,
  ...more,
  run(client) {
    client.server.fault = fault
    return counted(client, () => client.load(...Array.from({ length: count }, () => 'memory')))
  },
})

/** Ends the outage, and loads until the new text is there. @returns how long that took */
async function recover(client: ClientUnderTest, loads: Seen[]): Promise<number> {
  client.server.fault = { kind: 'none' }
  const end = performance.now()
  while (performance.now() - end < LONGEST_RECOVERY_MS) {
    await pause(50)
    loads.push(...(await client.load('memory')))
    if (loads.at(-1)?.served === 'new') return performance.now() - end
  }
  return Number.POSITIVE_INFINITY
}

/** How long after its end an outage is still felt, by an app that loads ten times a second all the time. */
const recovery: Cell = {
  what: 'a 500 of 4 s ends: until the new text',
  ttlSeconds: SHORT_TTL,
  deadlineMs: KNOWN_MS,
  recoveryMs: 10_000, // the longest pause of a probe
  right: ['old', 'new'],
  mostRequests: 16,
  isQuick: false,
  async run(client) {
    await client.load('memory')
    const before = client.server.requests
    client.server.version = 2
    client.server.fault = { kind: 'status', status: 500 }
    const loads: Seen[] = []
    const untilMs = performance.now() + 4_000
    while (performance.now() < untilMs) {
      loads.push(...(await client.load('memory')))
      await pause(100)
    }
    const recoveredMs = await recover(client, loads)
    return { loads, requests: client.server.requests - before, recoveredMs }
  },
}

const OUTAGE_MS = 8_000

/** An outage that an app meets with five prompts which it has never loaded: who waits for what is not there? */
const lastingHang: Cell = {
  what: `${OUTAGE_MS / 1000} s of hang, five prompts in turn, cold`,
  ttlSeconds: TTL,
  deadlineMs: COLD_MS,
  right: ['fallback'],
  mostRequests: 5,
  isQuick: false,
  async run(client) {
    client.server.fault = { kind: 'hang' }
    const sight = await counted(client, async () => {
      const seen: Seen[] = []
      const start = performance.now()
      while (performance.now() - start < OUTAGE_MS) {
        seen.push(...(await client.load(`other-${seen.length % 5}`)))
        await pause(EVERY_MS)
      }
      return seen
    })
    return { ...sight, waitedMs: sight.loads.reduce((sum, { ms }) => sum + ms, 0) }
  },
}

const HOUR = 3_600_000

/** After the clock jumped, a move is to be seen within the TTL that was promised. */
const jump = (what: string, shiftMs: number): Cell => ({
  what: `clock ${what}, a move, the TTL later`,
  ttlSeconds: SHORT_TTL,
  deadlineMs: COLD_MS,
  right: ['new'],
  mostRequests: 5,
  isQuick: false,
  async run(client) {
    await client.load('memory')
    return counted(client, async () => {
      await client.shiftClock(shiftMs)
      await client.load('memory')
      client.server.version = 2
      await pause(client.ttlMs + 400)
      return loadSome(client, 3, 300)
    })
  },
})

/** In an outage a jump is no reason to wait again, nor to lose what is known, nor to miss the end of it. */
const jumpInOutage = (what: string, shiftMs: number): Cell => ({
  what: `clock ${what} in a hang that ends: until the new text`,
  ttlSeconds: SHORT_TTL,
  deadlineMs: KNOWN_MS,
  recoveryMs: 10_000,
  right: ['old', 'new'],
  mostRequests: 16,
  isQuick: false,
  async run(client) {
    await client.load('memory')
    const before = client.server.requests
    client.server.version = 2
    client.server.fault = { kind: 'hang' }
    await pause(client.ttlMs + 400)
    const loads = await loadSome(client, 2, 100)
    await client.shiftClock(shiftMs)
    loads.push(...(await loadSome(client, 3, 100)))
    const recoveredMs = await recover(client, loads)
    return { loads, requests: client.server.requests - before, recoveredMs }
  },
})

const KEYS = 1_000

/** Cold, and once more: what is kept is not asked for again. */
const keys: Cell = {
  what: `${KEYS.toLocaleString('en')} prompts, each twice`,
  ttlSeconds: TTL * 10, // Python's client needs a minute for the first round
  deadlineMs: COLD_MS,
  right: ['new'],
  mostRequests: KEYS,
  isQuick: false,
  async run(client) {
    const before = await client.memory()
    const sight = await counted(client, async () => {
      const seen: Seen[] = []
      for (const _ of [1, 2])
        for (let i = 0; i < KEYS; i += 10)
          seen.push(...(await client.load(...Array.from({ length: 10 }, (_, n) => `key-${i + n}`))))
      return seen
    })
    return { ...sight, heldMiB: ((await client.memory()) - before) / 2 ** 20 }
  },
}

export const CELLS: readonly Cell[] = [
  herd(1, { kind: 'none' }, { what: 'cold, all well', isQuick: true }),
  ...FAULTS.map(cold),
  herd(20, { kind: 'none', delayMs: 20 }, { isQuick: true }),
  herd(1_000, { kind: 'none', delayMs: 20 }, {}),
  herd(1_000, { kind: 'hang' }, { what: '1,000 cold at once, hang', right: ['fallback'] }),
  lastingHang,
  ...FAULTS.map(expired),
  recovery,
  jump('+1 h', HOUR),
  jump('−1 h', -HOUR),
  jumpInOutage('+1 h', HOUR),
  jumpInOutage('−1 h', -HOUR),
  keys,
]
