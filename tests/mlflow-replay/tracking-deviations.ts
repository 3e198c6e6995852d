import type { TrackingDeviation } from './tracking-replay.ts'

/** Calls of the recordings that an eval run does not need: they are not served yet. */
export const TRACKING_LEFT_OUT = {
  'experiments/delete': 4,
  'experiments/delete-experiment-tag': 2,
  'experiments/restore': 2,
  'experiments/set-experiment-tag': 4,
  'experiments/update': 4,
  'runs/delete': 3,
  'runs/delete-tag': 3,
  'runs/restore': 2,
}

const NOT_DELETED = 'The delete before it is not served'

/** Where our answer is not MLflow's, and why. One that no longer deviates must leave this list. */
export const TRACKING_DEVIATIONS: Readonly<Record<string, string>> = {
  '20 get deleted by id': NOT_DELETED,
  '20 get deleted by name': NOT_DELETED,
  '20 search deleted only': NOT_DELETED,
  '20 create run in a deleted experiment': NOT_DELETED,
  '21 get deleted run': NOT_DELETED,
  '21 log to a deleted run': NOT_DELETED,
  '21 search deleted': NOT_DELETED,
  '21 get_run after all': NOT_DELETED,
  '22 raw: metric value string "abc"':
    'MLflow answers 200 and drops the metric; a number that is lost is a 400 here',
  '26 runs/create empty body (default experiment? no)':
    'The code is the same; the message names the field, not SQL',
}

/** As a Markdown table, one line for each operation. */
export function trackingTable(deviations: readonly TrackingDeviation[]): string {
  const lines = Object.entries(TRACKING_DEVIATIONS).map(([at, reason]) => {
    const { method, path } = deviations.find((deviation) => deviation.at === at)?.request ?? {}
    return `| ${at} | \`${method} ${path}\` | ${reason} |`
  })
  return ['| case | call | reason |', '| --- | --- | --- |', ...lines].join('\n')
}
