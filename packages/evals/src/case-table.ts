import type { CaseResult } from './runner.ts'

/** The file of a run that holds every trial. */
export const CASE_TABLE = 'cases.json'

/** MLflow's tag by which its UI and `load_table` find tables. */
export const tableTag = (): Record<string, string> => ({
  'mlflow.loggedArtifacts': JSON.stringify([{ path: CASE_TABLE, type: 'table' }]),
})

type Cell = string | number | null

/** Every trial as a row, in MLflow's form of a table: what was asked, what was answered, and what each scorer said. */
export function caseTable(results: readonly CaseResult[]): string {
  const scorers = [...new Set(results.flatMap(({ scores }) => scores.map(({ name }) => name)))]
  const columns = [
    ...['id', 'trial', 'status', 'input', 'output', 'error'],
    ...scorers.flatMap((name) => [`score.${name}`, `reason.${name}`]),
    ...['latency_ms', 'cost_usd'],
  ]
  const data = results.map((one): Cell[] => [
    one.case.id,
    one.trial,
    one.status,
    one.case.input ?? one.case.turns?.join('\n') ?? '',
    one.result?.output ?? null,
    one.error ? `${one.error.kind}: ${one.error.message}` : null,
    ...scorers.flatMap((name): Cell[] => {
      const score = one.scores.find((score) => score.name === name)
      return [score?.score ?? null, score?.reason ?? null]
    }),
    one.status === 'not-run' ? null : one.durationMs,
    one.costUsd ?? null,
  ])
  return JSON.stringify({ columns, data })
}
