import { exampleOf } from './complete.ts'
import type { Listed } from './document.ts'
import { MLFLOW_OPERATIONS } from './mlflow-operations.ts'
import { type FieldRow, resolved, rowsOf, type Schemas } from './page-fields.ts'

/** A call of this route with curl, with every field that must be there. `$PROMPTKEEP` is the server's address. */
export function curlOf({ method, path, operation }: Listed, schemas: Schemas): string {
  const { parameters = [], requestBody, security = [], tags = [] } = operation
  const given =
    MLFLOW_OPERATIONS[`${method.toUpperCase()} ${path.replace('/api/2.0/mlflow', '')}`]?.example ?? {}
  const group = tags[0] ?? ''
  const exampleFor = ({ name, schema }: Pick<FieldRow, 'name' | 'schema'>): unknown =>
    given[name] ?? exampleOf(name, group) ?? resolved(schema, schemas).examples?.[0] ?? 'text'

  const query = parameters
    .filter((one) => one.in === 'query' && one.required)
    .map((one) => `${one.name}=${encodeURIComponent(String(exampleFor(one)))}`)
    .join('&')
  const body = requestBody?.content['application/json']?.schema
  const rows = body === undefined ? [] : rowsOf(body, schemas)
  const sent = Object.fromEntries(
    rows
      .filter(({ name, required }) => required || name in given)
      .map((row) => [row.name, asSent(row, exampleFor(row))]),
  )
  return [
    `curl${method === 'get' ? '' : ` -X ${method.toUpperCase()}`} "$PROMPTKEEP${path}${query === '' ? '' : `?${query}`}"`,
    ...(security.length === 0 ? [] : ['  -H "Authorization: Bearer $PROMPTKEEP_TOKEN"']),
    ...(body === undefined
      ? []
      : ["  -H 'Content-Type: application/json'", `  -d '${JSON.stringify(sent).replaceAll("'", "'\\''")}'`]),
  ].join(' \\\n')
}

/** Version numbers are texts on MLflow's wire. */
const asSent = ({ schema }: FieldRow, value: unknown): unknown =>
  schema.type === 'string' && typeof value === 'number' ? String(value) : value
