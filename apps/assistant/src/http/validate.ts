import type { Context } from 'hono'
import type { z } from 'zod'
import { HttpProblem } from './problem.ts'

/** @throws {HttpProblem} 400 for what is not UTF-8, not JSON, or not of this shape: every bad field is named. */
export async function readJson<T>(c: Context, shape: z.ZodType<T>): Promise<T> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await c.req.arrayBuffer())
  } catch (error) {
    if (error instanceof HttpProblem) throw error
    throw new HttpProblem(400, 'The body is not UTF-8')
  }
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new HttpProblem(400, 'The body is not JSON')
  }
  return check(body, shape)
}

/** @throws {HttpProblem} 400 */
export const readQuery = <T>(c: Context, shape: z.ZodType<T>): T => check(c.req.query(), shape)

function check<T>(given: unknown, shape: z.ZodType<T>): T {
  const parsed = shape.safeParse(given)
  if (parsed.success) return parsed.data
  const fields = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? `The body ${message}` : `Field '${path.join('.')}': ${message}`,
  )
  throw new HttpProblem(400, fields.join('; '))
}
