import { z } from 'zod'
import { EvalFailure } from './errors.ts'
import type { JudgeQuestion } from './scorers/services.ts'

type Grades = JudgeQuestion['grades']

/** One draw. */
export interface Draw {
  /** 0…1 */
  readonly score: number
  readonly reason: string
}

/** What a judge may answer, in words for its prompt. */
export const scaleOf = (grades: Grades): string =>
  grades
    ? `"grade": one of ${Object.keys(grades)
        .map((grade) => JSON.stringify(grade))
        .join(', ')}`
    : '"score": a number from 0 (meets nothing that the rubric asks for) to 1 (meets all of it)'

/** The reason stands first: a model that judged already would only defend what it said. */
export function responseFormat(grades: Grades) {
  const judgement: Record<string, object> = grades
    ? { grade: { type: 'string', enum: Object.keys(grades) } }
    : { score: { type: 'number', minimum: 0, maximum: 1 } }
  const schema = {
    type: 'object',
    properties: { reason: { type: 'string' }, ...judgement },
    required: ['reason', ...Object.keys(judgement)],
    additionalProperties: false,
  }
  return { type: 'json_schema' as const, json_schema: { name: 'judgement', strict: true, schema } }
}

const Scored = z.object({ reason: z.string(), score: z.number().min(0).max(1) })
const Graded = z.object({ reason: z.string(), grade: z.string() })

/** As much of a chat completion as is read; endpoints differ in what else they leave out. */
export const Completion = z.object({
  model: z.string(),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish(),
})
type Completion = z.infer<typeof Completion>

/** @throws {EvalFailure} It is no opinion: a refusal, cut short, or something else than was asked for. */
export function readDraw({ choices: [choice] }: Completion, grades: Grades): Draw {
  const { finish_reason: end, message } = choice ?? { message: {} }
  if (message.refusal) throw noOpinion(`it refused: ${shortened(message.refusal)}`)
  if (end === 'content_filter') throw noOpinion("its provider's filter stopped it")
  if (end === 'length')
    throw noOpinion('it was cut off at the limit of tokens; raise max_tokens of its prompt')
  const content = message.content ?? ''
  if (content.trim() === '') throw noOpinion('it was empty')
  const value = parsed(content)
  if (grades) {
    const { data } = Graded.safeParse(value)
    const score = data && Object.hasOwn(grades, data.grade) ? grades[data.grade] : undefined
    if (data && score !== undefined) return { score, reason: data.reason }
  } else {
    const { data } = Scored.safeParse(value)
    if (data) return data
  }
  throw noOpinion(`it is not { "reason": text, ${scaleOf(grades)} }: ${shortened(content)}`)
}

const noOpinion = (why: string) =>
  new EvalFailure('INFRASTRUCTURE', `the judge's answer is no opinion: ${why}`)

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text)
