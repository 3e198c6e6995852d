import { z } from 'zod'
import { type Issue, issuesOf } from '../source-file.ts'
import type { Score, Scorer, ScorerArgs } from './scorer.ts'
import type { ScorerServices } from './services.ts'

/** 0…1 with its reason. */
export interface Judgement {
  readonly score: number
  readonly reason: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

type Check = (answer: ScorerArgs) => Judgement | Promise<Judgement>

/** The part of a case that decides which checks it gets. */
export interface Expecting {
  readonly expected?: Readonly<Record<string, unknown>> | undefined
}

/** A scorer as one suite configures it. */
export interface BoundScorer {
  /** Unique in its suite. */
  readonly name: string
  readonly kind: string
  /** The key of a case's `expected` that it reads; absent when the suite says it all. */
  readonly expects?: string | undefined
  /** It is given `expected` whole: no key of it is unread. */
  readonly readsAll?: boolean
  /** It asks a judge by this prompt: there is nothing to run without it, and without a model. */
  readonly judgePrompt?: string | undefined
  /**
   * What it needs from files, relative to the suite's; asked once, before any case is looked at. Absent: nothing.
   * @throws {EvalFailure} `CONFIGURATION`
   */
  load?(suitePath: string): Promise<BoundScorer>
  /** What is wrong with this case's `expected`, as paths from the case; empty when it is fine. */
  issues(testCase: Expecting): Issue[]
  /** The scorer for one case; `undefined` when neither suite nor case ask it for anything. */
  forCase(testCase: Expecting, services?: ScorerServices): Scorer | undefined
}

/** A kind of scorer that a suite can name. */
export interface ScorerKind {
  readonly kind: string
  /** What a suite may say of it. */
  readonly options: z.ZodObject
  /** The key of a case's `expected` that it reads, and what may stand there; absent when its options name one. */
  readonly expects?: { readonly key: string; readonly schema: z.ZodType }
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
  /** The prompt by which it asks a judge. Default: it asks none. */
  judgePrompt?(options: Options): string
  /** What is wrong with a case's expectation beside these options, in words; `undefined`: nothing. */
  problem?(options: Options, expected: Expected): string | undefined
  /** `undefined`: nothing to check. Services are there when an answer is scored, not when a case is only looked at. */
  check(options: Options, expected: Expected | undefined, services: ScorerServices): Check | undefined
}

/** What a suite may call a scorer; `score.<name>` is its metric. */
export const ScorerName = z.string().regex(/^[\w-]{1,100}$/, 'must be letters, digits, _ and -')

const Named = z.looseObject({ name: ScorerName.optional() })

/** Makes a kind out of what is particular to it: options, what a case may expect, and the check itself. */
export function defineScorer<Options, Expected>(definition: Definition<Options, Expected>): ScorerKind {
  const { kind, expects } = definition
  const options = definition.options.extend({ name: Named.shape.name }).strict()
  return {
    kind,
    options,
    expects,
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
        judgePrompt: definition.judgePrompt?.(parsed.data as Options),
        issues(testCase) {
          const at = ['expected', expects.key]
          const expected = read(testCase)
          if (!expected.success) return issuesOf(expected.error, at)
          if (expected.data === undefined) return []
          const message = definition.problem?.(parsed.data as Options, expected.data)
          return message === undefined ? [] : [{ path: at, message }]
        },
        forCase(testCase, services = {}) {
          const check = definition.check(parsed.data as Options, read(testCase).data, services)
          const named = (judgement: Judgement): Score => ({ name, ...judgement })
          return (
            check &&
            ((answer) => {
              const judged = check(answer)
              return judged instanceof Promise ? judged.then(named) : named(judged)
            })
          )
        },
      }
    },
  }
}

interface Scored {
  readonly scorers: readonly BoundScorer[]
}

/** The prompts that a suite's judge is asked by; none: it has no judge. */
export const judgePrompts = ({ scorers }: Scored): string[] => [
  ...new Set(scorers.flatMap(({ judgePrompt }) => judgePrompt ?? [])),
]

/** Whether a suite has to be given a judge model. */
export const needsJudge = (suite: Scored): boolean => judgePrompts(suite).length > 0
