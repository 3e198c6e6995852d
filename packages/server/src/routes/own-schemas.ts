import { z } from '@hono/zod-openapi'
import { MAX_REQUEST_ID } from '../store/store.ts'

/*
 * Shapes of our own routes. A schema's message is what it allows, as it stands in "name must be …; got 5". Names,
 * limits and messages of a chat are checked by the validators that the client uses too.
 */

export const text = z.string('a text')
export const whole = z.int('a whole number')
export const flag = z.boolean('true or false')

const idLength = `a text of 1 to ${MAX_REQUEST_ID} characters`
/** Of a request that may be sent again. */
export const requestId = z.string(idLength).min(1, idLength).max(MAX_REQUEST_ID, idLength)

/** One change, as `fromChange` writes it. */
export const Change = z
  .object({
    seq: whole.optional(),
    kind: text,
    prompt: text,
    alias: text.optional(),
    from: whole.optional(),
    to: whole.optional(),
    new_name: text.optional(),
    digest: text.optional(),
    actor: text.optional(),
    reason: text.optional(),
    evidence: text.optional(),
    forced: z.boolean().optional(),
    restores: whole.optional(),
    at: whole,
  })
  .openapi('Change')

/** MLflow's error body. */
export const Refusal = z
  .object({ error_code: text, message: text, sqlstate: text, error_class: text })
  .openapi('Refusal')

/** An alias is not where the caller expected it. */
export const Elsewhere = Refusal.extend({ current: whole.nullable() })

export const json = <S extends z.ZodType>(schema: S, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

/** What every route that reads fields may answer. */
export const badField = { 400: json(Refusal, 'A field is not what it must be; the message names it.') }

export const jsonRequest = <S extends z.ZodType>(schema: S) => ({
  body: { required: true as const, content: { 'application/json': { schema } } },
})
