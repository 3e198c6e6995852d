import { z } from 'zod'
import { type Issue, issuesOf } from '../source-file.ts'
import type { Score, Scorer, ScorerArgs } from './scorer.ts'
import type { ScorerServices } from './services.ts'

/** 0…1 with its reason. */
export interface Judgement {
  readonly score: number
  readonly reason: string
}

type Check = (answer: ScorerArgs) => Judgement

/** The part of a case that decides which checks it gets. */
interface Expecting {
  readonly expected?: Readonly<Record<string, unknown>> | undefined
}

/** A scorer as one suite configures it. */
export interface BoundScorer {
  /** Unique in its suite. */
  readonly name: string
  readonly kind: string
  /** The key of a case's `expected` that it reads; absent when the suite says it all. */
  readonly expects?: string | undefined
  /** What is wrong with this case's `expected`, as paths from the case; empty when it is fine. */
  issues(testCase: Expecting): Issue[]
  /** The scorer for one case; `undefined` when neither suite nor case ask it for anything. */
  forCase(testCase: Expecting, services?: ScorerServices): Scorer | undefined
}

/** A kind of scorer that a suite can name. */
export interface ScorerKind {
  readonly kind: string
  /** Reads a suite's options for it; issues are paths from the options. */
  bind(options: unknown): BoundScorer | readonly Issue[]
}

interface Definition<Options, Expected> {
  readonly kind: string
  /** Options in the suite; must take `{}`. Every kind also takes `name`. */
  readonly options: z.ZodObject & z.ZodType<Options>
  /** The key of a case's `expected`, and what may stand there. */
  readonly expects: { readonly key: string; readonly schema: z.ZodType<Expected> }
  /** False: with these options it checks the same in every case. Default: always true. */
  readsCase?(options: Options): boolean
  /** `undefined`: nothing to check. */
  check(options: Options, expected: Expected | undefined): Check | undefined
}

const Named = z.looseObject({
  name: z
    .string()
    .regex(/^[\w-]{1,100}$/, 'must be letters, digits, _ and -')
    .optional(),
})

/** Makes a kind out of what is particular to it: options, what a case may expect, and the check itself. */
export function defineScorer<Options, Expected>(definition: Definition<Options, Expected>): ScorerKind {
  const { kind, expects } = definition
  const options = definition.options.extend({ name: Named.shape.name }).strict()
  return {
    kind,
    bind(given) {
      const parsed = options.safeParse(given)
      if (!parsed.success) return issuesOf(parsed.error)
      const name = Named.parse(parsed.data).name ?? kind
      const readsCase = definition.readsCase?.(parsed.data as Options) ?? true
      const schema = expects.schema.optional()
      const read = (testCase: Expecting) =>
        schema.safeParse(readsCase ? testCase.expected?.[expects.key] : undefined)
      return {
        name,
        kind,
        expects: readsCase ? expects.key : undefined,
        issues(testCase) {
          const expected = read(testCase)
          return expected.success ? [] : issuesOf(expected.error, ['expected', expects.key])
        },
        forCase(testCase) {
          const check = definition.check(parsed.data as Options, read(testCase).data)
          return check && ((answer): Score => ({ name, ...check(answer) }))
        },
      }
    },
  }
}
