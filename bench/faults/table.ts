import { CELLS, type Cell, LONGEST_RECOVERY_MS, type Sight } from './cells.ts'
import type { Seen } from './client-under-test.ts'
import type { ClientName } from './protocols.ts'

/** One client in one cell; times are `null` where the bench gave up waiting. */
export interface CellFigures {
  readonly what: string
  /** The longest load. */
  readonly worstMs: number | null
  readonly requests: number
  /** What was served, each kind once, in the order of its first; `none` with what was thrown. */
  readonly served: readonly string[]
  readonly recoveredMs?: number | null
  readonly heldMiB?: number
  readonly waitedMs?: number
  /** Of what ours promises in this cell, what was not so; empty: all held. */
  readonly broken: readonly string[]
  readonly isWrong: boolean
}

/** A timer fires a little late, and the answer has to get to the one who measures. */
export const LATENESS_MS = 150

/** @param allowanceMs - how much later than its deadline an answer may come, on a machine that is busy */
export function figuresOf(cell: Cell, sight: Sight, allowanceMs: number): CellFigures {
  const { loads, requests, recoveredMs, heldMiB, waitedMs } = sight
  const worst = Math.max(...loads.map(({ ms }) => ms))
  const last = loads.at(-1) as Seen
  const broken: string[] = []
  if (worst > cell.deadlineMs + allowanceMs) broken.push('OVER')
  if (cell.recoveryMs !== undefined && (recoveredMs ?? 0) > cell.recoveryMs + allowanceMs)
    broken.push('recovers too late')
  if (!loads.every(({ served }) => cell.right.includes(served))) broken.push('WRONG')
  if (requests > cell.mostRequests) broken.push('too many requests')
  return {
    what: cell.what,
    worstMs: finite(worst),
    requests,
    served: [...new Set(loads.map(describe))],
    ...(recoveredMs !== undefined && { recoveredMs: finite(recoveredMs) }),
    ...(heldMiB !== undefined && { heldMiB }),
    ...(waitedMs !== undefined && { waitedMs }),
    broken,
    // Who serves an old text once while it asks for the new one is judged by what it says next.
    isWrong: !cell.right.includes(last.served) && last.served !== 'none',
  }
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)
const describe = ({ served, error }: Seen): string => (served !== 'none' ? served : (error ?? 'nothing'))

export type Figures = Partial<Record<ClientName, readonly CellFigures[]>>

const TITLES: Readonly<Record<ClientName, string>> = {
  promptkeep: 'ours',
  langfuse: '@langfuse/client',
  mlflow: 'MLflow (Python)',
  langsmith: 'langsmith',
  phoenix: '@arizeai/phoenix-client',
}

export function faultTable(figures: Figures, capMs: number): string {
  const names = Object.keys(figures) as ClientName[]
  const header = [
    'fault',
    'deadline of ours',
    ...names.flatMap((name) => (name === 'promptkeep' ? ['ours', 'held?'] : [TITLES[name]])),
  ]
  const rows = CELLS.map((cell) => [
    cell.what,
    deadline(cell),
    ...names.flatMap((name) => {
      const seen = figures[name]?.find(({ what }) => what === cell.what)
      if (!seen) return name === 'promptkeep' ? ['–', '–'] : ['–']
      const text = show(seen, capMs)
      if (name !== 'promptkeep') return [seen.isWrong ? `${text} **WRONG**` : text]
      return [text, seen.broken.length === 0 ? 'within, right' : `**${seen.broken.join(', ')}**`]
    }),
  ])
  return [header, header.map((_, i) => (i === 0 ? '---' : '---')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

const deadline = ({ deadlineMs, recoveryMs }: Cell): string =>
  recoveryMs === undefined
    ? milliseconds(deadlineMs)
    : `${milliseconds(deadlineMs)} a load, ${milliseconds(recoveryMs)} in all`

const milliseconds = (ms: number): string => `${Math.round(ms).toLocaleString('en')} ms`

function show(seen: CellFigures, capMs: number): string {
  const { requests, served, heldMiB, waitedMs } = seen
  return [
    timeOf(seen, capMs),
    ...(waitedMs === undefined ? [] : [`${milliseconds(waitedMs)} in all`]),
    `${requests.toLocaleString('en')} req`,
    served.join(' → '),
    ...(heldMiB === undefined ? [] : [`${heldMiB.toFixed(1)} MiB`]),
  ].join(' · ')
}

function timeOf({ worstMs, recoveredMs }: CellFigures, capMs: number): string {
  if (worstMs === null) return `> ${capMs / 1000} s`
  if (recoveredMs === null) return `not within ${LONGEST_RECOVERY_MS / 1000} s`
  return milliseconds(recoveredMs ?? worstMs)
}
