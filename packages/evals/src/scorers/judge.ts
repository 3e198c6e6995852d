import { z } from 'zod'
import { EvalFailure } from '../errors.ts'
import { defineScorer } from './define-scorer.ts'

const share = z.number().min(0).max(1)
const Text = z.string().trim().min(1)

/** A case's own question to the judge; a text is short for a rubric. */
const Asked = z.union(
  [
    Text.transform((rubric): { rubric?: string; reference?: string } => ({ rubric })),
    z.strictObject({ rubric: Text.optional(), reference: Text.optional() }),
  ],
  'must be a rubric, or an object with rubric, reference or both, which are texts',
)

const Grades = z.record(Text, share).refine((grades) => Object.keys(grades).length >= 2, {
  message: 'must be at least two grades, each with what it is worth from 0 to 1',
})

/**
 * What a model thinks of the answer, by a rubric: 1 when the mean of its draws is `at_least` or more, else that mean. Draws
 * further apart than `min_agreement` allows are no opinion, which is an error.
 */
export const judge = defineScorer({
  kind: 'judge',
  judgePrompt: ({ prompt }) => prompt,
  options: z.object({
    prompt: Text.default('eval-judge'),
    rubric: Text.optional(),
    grades: Grades.optional(),
    draws: z.int().min(2).max(20).default(2),
    whole_conversation: z.boolean().default(false),
    at_least: share.gt(0, 'must be above 0: at 0 every answer is good enough').default(0.7),
    min_agreement: share.default(0),
  }),
  expects: { key: 'judge', schema: Asked },
  problem: (options, { rubric = options.rubric }) =>
    rubric === undefined ? 'must have a rubric, as the suite has none' : undefined,
  check(options, expected, services) {
    const rubric = expected?.rubric ?? options.rubric
    if (rubric === undefined) return undefined
    const { prompt, grades, draws, whole_conversation, at_least: bar, min_agreement } = options
    return async ({ input, output, messages }) => {
      if (!services.judge)
        throw new EvalFailure(
          'CONFIGURATION',
          'a suite with the scorer judge needs a model for it: --judge-model',
        )
      const opinion = await services.judge.ask({
        prompt,
        rubric,
        input,
        output,
        draws,
        ...(expected?.reference === undefined ? {} : { expected: expected.reference }),
        ...(whole_conversation ? { messages } : {}),
        ...(grades ? { grades } : {}),
      })
      const said = opinion.draws.map(rounded).join(', ')
      if (opinion.agreement < min_agreement)
        throw new EvalFailure(
          'INFRASTRUCTURE',
          `the judge's draws are too far apart for an opinion: ${said}, an agreement of ${rounded(opinion.agreement)}, less than ${min_agreement}`,
        )
      const { score: mean, agreement, usage } = opinion
      const against = mean < bar ? `, less than ${bar}` : ''
      return {
        score: mean < bar ? mean : 1,
        reason: `${rounded(mean)} (${said})${against}: ${opinion.reason}`,
        metadata: { mean, draws: opinion.draws, agreement, usage },
      }
    }
  },
})

const rounded = (value: number): number => Math.round(value * 1000) / 1000
