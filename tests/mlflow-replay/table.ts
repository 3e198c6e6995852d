import { DEVIATIONS } from './deviations.ts'
import type { Deviation } from './replay.ts'

/** The deviations of a replay as a Markdown table, one line for each exchange. */
export function tableOf(deviations: readonly Deviation[]): string {
  const lines = deviations.map(({ at, exchange, ours, differences }) => {
    const { method, path } = exchange.request
    const cells = [
      `${at}<br>\`${method} ${path}\``,
      said(
        exchange.status,
        exchange.response,
        differences.map(({ at, mlflow }) => [at, mlflow]),
      ),
      said(
        ours.status,
        ours.body,
        differences.map(({ at, ours }) => [at, ours]),
      ),
      DEVIATIONS[at] ?? 'not listed',
    ]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  })
  return ['| case | MLflow | ours | reason |', '| --- | --- | --- | --- |', ...lines].join('\n')
}

/** A different status is told with its error; else the values that differ. */
function said(status: number, body: unknown, values: readonly (readonly [string, unknown])[]): string {
  if (!values.some(([at]) => at === 'status'))
    return values.map(([at, value]) => `\`${at}\`: \`${short(value)}\``).join('<br>')
  const { error_code, message } = (typeof body === 'object' && body !== null ? body : {}) as {
    error_code?: string
    message?: string
  }
  return error_code === undefined ? String(status) : `${status} ${error_code}: ${message}`
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'absent'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
