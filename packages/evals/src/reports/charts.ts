import { html, type Markup } from './markup.ts'

/*
 * Small pictures as SVG, drawn here: a library would bring a script or a document, and these are bars. Every one says in
 * words what it shows, and none by its colour alone.
 */

interface Picture {
  readonly width: number
  readonly height: number
  /** What it is, and what it shows. */
  readonly title: string
  readonly text: string
}

const picture = ({ width, height, title, text }: Picture, inner: readonly Markup[]): Markup =>
  html`<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}: ${text}"><title>${title}: ${text}</title>${inner}</svg>`

/** One decimal is enough for a picture. */
const px = (value: number): string => String(Math.round(value * 10) / 10)

const WIDTH = 320

/** One part of a whole. */
export interface Slice {
  readonly kind: 'good' | 'bad' | 'broken' | 'none'
  readonly count: number
}

/** A whole and its parts, side by side. */
export function stackedBar(title: string, text: string, slices: readonly Slice[]): Markup {
  const total = slices.reduce((sum, { count }) => sum + count, 0) || 1
  let left = 0
  const bars = slices.flatMap(({ kind, count }) => {
    if (count === 0) return []
    const width = (count / total) * WIDTH
    const x = left
    left += width
    return [
      html`<rect class="${kind}" x="${px(x)}" y="0" width="${px(Math.max(1, width - 1))}" height="14"/>`,
    ]
  })
  return picture({ width: WIDTH, height: 14, title, text }, bars)
}

/** How often which score was given, in tenths; 0 and 1 stand alone. */
export function histogram(title: string, scores: readonly number[]): Markup {
  const bins = Array.from({ length: 11 }, () => 0)
  // Just below 1 is not 1, and just above 0 is not 0.
  const place = (score: number) =>
    score <= 0 ? 0 : score >= 1 ? 10 : Math.min(9, Math.max(1, Math.round(score * 10)))
  for (const score of scores) bins[place(score)] = (bins[place(score)] ?? 0) + 1
  const most = Math.max(1, ...bins)
  const bars = bins.flatMap((count, i) => {
    if (count === 0) return []
    const height = Math.max(2, (count / most) * 34)
    const kind = i === 10 ? 'good' : i === 0 ? 'bad' : 'some'
    return [
      html`<rect class="${kind}" x="${px(i * 14)}" y="${px(36 - height)}" width="12" height="${px(height)}"/>`,
    ]
  })
  const axis = html`<line class="axis" x1="0" y1="36.5" x2="152" y2="36.5"/><text x="0" y="47">0</text><text x="152" y="47" text-anchor="end">1</text>`
  const said = bins.flatMap((count, i) => (count > 0 ? [`${i / 10}: ${count}`] : [])).join(', ')
  return picture({ width: 152, height: 49, title, text: said || 'none' }, [...bars, axis])
}

/** A share of 0…1 as a bar. */
export const shareBar = (title: string, share: number): Markup =>
  picture({ width: 120, height: 10, title, text: `${Math.round(share * 100)} %` }, [
    html`<rect class="ground" x="0" y="0" width="120" height="10"/>`,
    html`<rect class="${share >= 1 ? 'good' : 'some'}" x="0" y="0" width="${px(share * 120)}" height="10"/>`,
  ])

/** A difference with its one-sided bounds, and how much worse was still good enough. */
export function interval(
  title: string,
  {
    difference,
    lower,
    upper,
    margin,
  }: { difference: number; lower?: number; upper?: number; margin: number },
): Markup {
  const reach = Math.min(1, Math.max(margin * 2, ...[difference, lower ?? 0, upper ?? 0].map(Math.abs)) * 1.1)
  const at = (value: number) => px(((Math.max(-reach, Math.min(reach, value)) + reach) / (2 * reach)) * WIDTH)
  const points = (value: number) => `${Math.round(value * 1000) / 10}`
  const text = `${points(difference)} points${lower === undefined ? '' : `, from ${points(lower)}`}${upper === undefined ? '' : ` to ${points(upper)}`}; margin −${points(margin)}`
  return picture({ width: WIDTH, height: 40, title, text }, [
    html`<rect class="allowed" x="${at(-margin)}" y="2" width="${px(WIDTH - Number(at(-margin)))}" height="22"/>`,
    html`<line class="axis" x1="${at(0)}" y1="0" x2="${at(0)}" y2="26"/>`,
    html`<line class="margin" x1="${at(-margin)}" y1="0" x2="${at(-margin)}" y2="26"/>`,
    ...(lower === undefined && upper === undefined
      ? []
      : [
          html`<line class="range" x1="${at(lower ?? difference)}" y1="13" x2="${at(upper ?? difference)}" y2="13"/>`,
        ]),
    html`<circle class="point" cx="${at(difference)}" cy="13" r="4"/>`,
    html`<text x="${at(-margin)}" y="38" text-anchor="middle">−${points(margin)}</text>`,
    html`<text x="${at(0)}" y="38" text-anchor="middle">0</text>`,
  ])
}

/** What changed case by case, the worst first: down is worse. */
export function differences(title: string, values: readonly number[]): Markup {
  const changed = values.filter((value) => value !== 0).sort((a, b) => a - b)
  const same = values.length - changed.length
  const worse = changed.filter((value) => value < 0).length
  const text = `${worse} worse, ${changed.length - worse} better, ${same} the same`
  const step = Math.min(12, WIDTH / Math.max(1, changed.length))
  const bars = changed.map((value, i) => {
    const height = Math.max(1.5, Math.abs(value) * 30)
    return html`<rect class="${value < 0 ? 'bad' : 'good'}" x="${px(i * step)}" y="${px(value < 0 ? 31 : 31 - height)}" width="${px(Math.max(0.5, step - 1))}" height="${px(height)}"/>`
  })
  return picture({ width: WIDTH, height: 62, title, text }, [
    ...bars,
    html`<line class="axis" x1="0" y1="31" x2="${WIDTH}" y2="31"/>`,
  ])
}

/** A moment in a course: oldest first. */
export interface CoursePoint {
  readonly value: number
  /** The line does not go on from the point before. */
  readonly isBreak: boolean
  /** Something that was judged is another one since. */
  readonly isMarked: boolean
}

export function course(title: string, points: readonly CoursePoint[]): Markup {
  const values = points.map(({ value }) => value)
  const low = Math.min(...values, 1)
  const high = Math.max(...values, 0)
  const span = high - low || 1
  const x = (i: number) => px(points.length === 1 ? WIDTH / 2 : 6 + (i / (points.length - 1)) * (WIDTH - 12))
  const y = (value: number) => px(48 - ((value - low) / span) * 40)
  const lines = points.flatMap((point, i) => {
    const before = points[i - 1]
    return before === undefined || point.isBreak
      ? []
      : [
          html`<line class="range" x1="${x(i - 1)}" y1="${y(before.value)}" x2="${x(i)}" y2="${y(point.value)}"/>`,
        ]
  })
  const dots = points.map(({ value, isMarked }, i) =>
    isMarked
      ? html`<rect class="marked" x="${px(Number(x(i)) - 4)}" y="${px(Number(y(value)) - 4)}" width="8" height="8"/>`
      : html`<circle class="point" cx="${x(i)}" cy="${y(value)}" r="3"/>`,
  )
  const rounded = (value: number | undefined) => String(Math.round((value ?? 0) * 1000) / 1000)
  const text = `${points.length} runs, from ${rounded(values[0])} to ${rounded(values.at(-1))}; squares where a prompt changed`
  return picture({ width: WIDTH, height: 56, title, text }, [...lines, ...dots])
}
