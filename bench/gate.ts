import { type CellFigures, type GuardCell, type GuardFigures, simulate, watchOften } from './gate/simulate.ts'
import { WORLDS } from './gate/worlds.ts'
import { publish, readOptions } from './report.ts'

/*
 * How often the gate promotes what it must not, and what it should: `npm run bench -- gate [--small]`. Seeded: a second run of
 * the same code says the same.
 */

/** The upper limit of what a true 5 % shows in 2,000 experiments, 99 times of 100. */
const LIMIT = 0.063

const options = readOptions()
const experiments = options.small ? 40 : 2000
const watches = options.small ? 40 : 2000
const observations = options.small ? 400 : 2000

const cells = WORLDS.flatMap((world) =>
  [0.05, 0.1, 0.2].flatMap((margin) =>
    [15, 30, 60, 200]
      .filter((n) => !options.small || n <= 30)
      .flatMap((n) => [0.02, 0.1].map((flips) => ({ world, margin, n, flips }))),
  ),
).filter(
  ({ world, margin }) => margin === 0.1 || world.kind === 'plain' || world.name === 'graded, few fall far',
)

const figures: CellFigures[] = cells.map((cell, i) =>
  simulate(cell, { experiments, seed: i, hasBootstrap: cell.n >= 50 && cell.world.kind === 'graded' }),
)

const guardCells: GuardCell[] = [0.05, 0.1].flatMap((margin) =>
  [1, 2, 3].flatMap((times) =>
    [0.5, 0.1].flatMap((share) =>
      [false, true].map((isGraded) => ({ margin, loss: times * margin, share, isGraded })),
    ),
  ),
)
const guards: GuardFigures[] = guardCells.map((cell, i) =>
  watchOften(cell, { watches, observations, seed: 10_000 + i }),
)

const percent = (share: number | undefined) => (share === undefined ? '' : `${(100 * share).toFixed(1)} %`)
const table = (heads: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [
    `| ${heads.join(' | ')} |`,
    `|${heads.map((_, i) => (i === 0 ? '---' : '--:')).join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')

const worst = Math.max(...figures.map(({ wrong }) => wrong))
const falseAlarms = guards.filter(({ loss, margin }) => loss === margin).map(({ alarms }) => alarms)
const text = `Each cell is ${experiments} experiments with a candidate exactly at the margin ("promoted wrongly"), and as many with one that
is as good as the baseline ("power"). Flips are cases that change for no reason, half of them each way. n counts clusters of
cases, or trials where the cases are all there is. "Bootstrap" is the studentised one, which the gate does not use.

Promoted wrongly at most: ${percent(worst)} (allowed: ${percent(LIMIT)}). False alarms of the guard at most: ${percent(Math.max(...falseAlarms))} (allowed: 5 %).

## The gate

${table(
  ['world', 'margin', 'n', 'flips', 'promoted wrongly', 'power', 'bootstrap: wrongly', 'bootstrap: power'],
  figures.map(({ world, margin, n, flips, wrong, power, bootstrap }) => [
    world,
    margin,
    n,
    `${flips * 100} %`,
    percent(wrong),
    percent(power),
    percent(bootstrap?.wrong),
    percent(bootstrap?.power),
  ]),
)}

## The live guard

Looked at after every one of ${observations} observations, ${watches} watches a row; the main version scores 0.9 on average.

${table(
  ['observations', 'margin', 'true loss', 'share of the new version', 'alarms', 'median until the alarm'],
  guards.map(({ isGraded, margin, loss, share, alarms, median }) => [
    isGraded ? 'graded' : 'yes or no',
    margin,
    Math.round(loss * 100) / 100,
    `${share * 100} %`,
    percent(alarms),
    median ?? '',
  ]),
)}`

await publish(options, {
  title: 'How often the gate errs',
  text,
  figures: { cells: figures, guards },
})
if (!options.small && (worst > LIMIT || Math.max(...falseAlarms) > 0.05)) process.exitCode = 1
