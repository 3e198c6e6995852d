import type { Case } from './dataset.ts'
import type { EvalTask } from './eval-task.ts'
import type { ModuleScore, ModuleScorerArgs } from './scorers/module-scorer.ts'
import type { Gate } from './suite.ts'
import type { PromptTarget } from './suite-manifest.ts'
import type { TargetExport } from './target.ts'

type Options = Readonly<Record<string, unknown>>

/** One case. @typeParam Expected - What scorers compare an answer with. */
export interface EvalCase<Expected extends Options = Options> extends Omit<Case, 'expected'> {
  readonly expected?: Expected
}

/** What a scorer in TypeScript is told of an answer; `expected` has the type that the data have. */
export interface EvalScorerArgs<Expected extends Options = Options>
  extends Omit<ModuleScorerArgs, 'output' | 'expected'> {
  readonly output: string
  readonly expected?: Expected
}

/** 0…1 with a reason, or the number alone; `null`: it has nothing to say about this case. */
export type EvalScore = ModuleScore | number | null

export type EvalScorerFunction<Expected extends Options = Options> = (
  args: EvalScorerArgs<Expected>,
) => EvalScore | Promise<EvalScore>

/** A kind's name, `{ kind: options }` as in a manifest, a function with a name, or one that is given a name here. */
export type EvalScorer<Expected extends Options = Options> =
  | string
  | Readonly<Record<string, Options>>
  | EvalScorerFunction<Expected>
  | {
      readonly name: string
      readonly score: EvalScorerFunction<Expected>
      /** Default 60 s. */
      readonly timeoutMs?: number
    }

type Data<Expected extends Options> = readonly EvalCase<Expected>[]

/** A suite in TypeScript: what a manifest says, under camelCase names, with data, target and scorers as code where that helps. */
interface Common<Expected extends Options> {
  /** Lower-case letters, digits, single hyphens: runs are compared by it. */
  readonly name: string
  readonly description?: string
  /** The cases, or what reads them; their digest is that of the same cases in a file. */
  readonly data: Data<Expected> | (() => Data<Expected> | Promise<Data<Expected>>)
  readonly scorers: readonly EvalScorer<Expected>[]
  /** `pass_rate` (the default) or `score.<scorer>`. */
  readonly metric?: string
  readonly direction?: 'higher' | 'lower'
  /** 0…1. Either this or `gates`. */
  readonly threshold?: number
  /** How much worse than the baseline is still good enough, 0 < δ < 1. Default 0.1. */
  readonly margin?: number
  readonly gates?: readonly (Pick<Gate, 'metric' | 'threshold'> & Partial<Gate>)[]
  /** Names of scorers that tolerate no miss. */
  readonly hard?: readonly string[]
  readonly estimand?: 'these-cases' | 'such-cases'
  readonly deterministic?: boolean
  readonly core?: boolean
  /** How often each case is run. Default 1. */
  readonly trials?: number
  readonly retries?: number
  readonly concurrency?: number
  /** For one trial. Default 60. */
  readonly timeoutSeconds?: number
  /** In US dollars, for a million tokens. */
  readonly prices?: { readonly inputPerMillion: number; readonly outputPerMillion: number }
}

/** @typeParam Expected - Inferred from the data. */
export type EvalDefinition<Expected extends Options = Options> = Common<Expected> &
  (
    | { readonly task: EvalTask; readonly target?: never }
    | {
        /** As in a manifest (`file.ts#name`, an address, `{ prompt }`), or a target of this module. */
        readonly target: string | PromptTarget | TargetExport
        readonly task?: never
      }
  )

/** Survives two copies of this package: the command's own, and the one that a suite imports. */
const MARK: unique symbol = Symbol.for('@promptkeep/evals.eval')

/** What `defineEval` makes; a file ending in `.eval.ts` exports one. */
export interface DefinedEval {
  readonly [MARK]: EvalDefinition
}

/**
 * Defines a suite in TypeScript. The file is named `*.eval.ts` and exports it, by any name or as default; `promptkeep eval`
 * runs it as it does a manifest, with the same checks, which happen when it is loaded: this call itself refuses nothing.
 */
export const defineEval = <Expected extends Options = Options>(
  definition: EvalDefinition<Expected>,
): DefinedEval => ({ [MARK]: definition as unknown as EvalDefinition })

/** What `defineEval` was given; `undefined` for anything else. */
export const definitionOf = (value: unknown): EvalDefinition | undefined =>
  typeof value === 'object' && value !== null && MARK in value ? (value as DefinedEval)[MARK] : undefined
