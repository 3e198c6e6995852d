import { describeChange, type SuiteTrend, type TrendPoint } from '@promptkeep/evals'
import { sparkline } from './sparkline.ts'
import { oneLine, type Style, table, when } from './style.ts'
import { wrapped } from './wrap.ts'

/** As many characters of a run's id as `compare` asks for. */
export const shortId = (id: string): string => id.slice(0, 8)

/** A suite's runs as a person reads them, ending in a line break. */
export function formatTrend({ suite, runs, hasMore }: SuiteTrend, style: Style): string {
  const metric = runs.find(({ counts }) => counts)?.metric ?? runs[0]?.metric ?? 'value'
  const values = runs.flatMap(({ counts, value }) => (counts && value !== undefined ? [value] : []))
  const range =
    values.length < 2
      ? ''
      : ` ${rounded(Math.min(...values))} to ${rounded(Math.max(...values))}, oldest first`
  const hasRate = metric !== 'pass_rate' && runs.some(({ passRate }) => passRate !== undefined)
  const hasCost = runs.some(({ costUsd }) => costUsd !== undefined)
  const head = [
    ...['WHEN (UTC)', 'RUN', 'VERDICT', oneLine(metric).toUpperCase(), 'CHANGE'],
    ...(hasRate ? ['PASS_RATE'] : []),
    ...(hasCost ? ['COST'] : []),
  ]
  const rows = table([head, ...runs.map((point) => row(point, { hasRate, hasCost }))]).split('\n')
  const lines = [
    `${style.bold(oneLine(suite))}  ${sparkline(partsOf(runs))}${range}`,
    style.dim(`  ${rows[0]}`),
  ]
  for (const [i, point] of runs.entries()) {
    const text = `  ${rows[i + 1]}`
    lines.push(point.counts ? painted(text, point, style) : style.dim(text))
    for (const mark of marksOf(point)) {
      const paint = point.counts ? style.cyan : style.dim
      lines.push(...wrapped('      ', oneLine(mark)).map(paint))
    }
  }
  if (hasMore) lines.push(style.dim('  There may be older runs: --limit shows more.'))
  return `${lines.join('\n')}\n`
}

function row(
  point: TrendPoint,
  { hasRate, hasCost }: { readonly hasRate: boolean; readonly hasCost: boolean },
): string[] {
  const { run, value, change, passRate, costUsd } = point
  return [
    when(run.startedAt).replace(' UTC', ''),
    oneLine(shortId(run.id)),
    verdictOf(point),
    value === undefined ? '-' : rounded(value),
    point.isBreak && point.counts ? '┊' : change === undefined ? '' : signed(change),
    ...(hasRate ? [passRate === undefined ? '-' : rounded(passRate)] : []),
    ...(hasCost ? [costUsd === undefined ? '-' : `$${costUsd.toFixed(costUsd < 1 ? 3 : 2)}`] : []),
  ]
}

/** What an evaluator said; else what the run's own thresholds say; else why it does not count, in a word. */
function verdictOf({ run, counts, passed }: TrendPoint): string {
  if (counts)
    return run.verdict === undefined
      ? passed === undefined
        ? '-'
        : passed
          ? 'passed'
          : 'failed'
      : oneLine(run.verdict)
  if (run.status !== 'FINISHED') return run.status.toLowerCase()
  if (run.shard !== undefined) return `shard ${oneLine(run.shard)}`
  return run.invalid === undefined ? 'incomplete' : 'invalid'
}

function marksOf({ run, counts, problem, changed, model, isBreak }: TrendPoint): string[] {
  if (!counts) {
    // The verdict says it of a shard, and of a run that goes on.
    const why =
      run.shard === undefined ? (run.invalid ?? (run.status === 'FINISHED' ? problem : undefined)) : undefined
    return why === undefined ? [] : [why]
  }
  const marks = [
    ...changed.map(describeChange),
    ...(model === undefined ? [] : [`model ${model.from ?? 'not said'} -> ${model.to ?? 'not said'}`]),
    ...(isBreak ? ['another dataset or metric: not compared with the runs before'] : []),
  ]
  return marks.length === 0 ? [] : [marks.join('; ')]
}

function painted(text: string, { run, passed }: TrendPoint, { red, green }: Style): string {
  const isBad = run.verdict === 'fail' || (run.verdict === undefined && passed === false)
  if (isBad) return red(text)
  return run.verdict === 'pass' ? green(text) : text
}

/** Values of the runs that count, the oldest first, apart where they are not compared. */
function partsOf(runs: readonly TrendPoint[]): number[][] {
  const parts: number[][] = [[]]
  for (const { counts, isBreak, value } of runs.toReversed()) {
    if (!counts || value === undefined) continue
    if (isBreak) parts.push([])
    parts.at(-1)?.push(value)
  }
  return parts
}

export const rounded = (value: number): string => String(Math.round(value * 1000) / 1000)
export const signed = (value: number): string => {
  const text = rounded(value)
  return value > 0 && text !== '0' ? `+${text}` : text === '-0' ? '0' : text
}
