import { z } from 'zod'
import { EvalFailure, messageOf } from '../errors.ts'
import { importNamed } from '../import-module.ts'
import { issuesOf } from '../source-file.ts'
import { type BoundScorer, type Expecting, type ScorerKind, ScorerName } from './define-scorer.ts'
import { jsonOf, shown } from './json-answer.ts'
import type { Score, ScorerArgs } from './scorer.ts'

const Options = z.strictObject({
  use: z
    .string()
    .regex(/^[^#]+(#[^#]+)?$/, 'must be a file and the name of its export, such as ./scorers.ts#polite'),
  name: ScorerName.optional(),
  expects: z.string().min(1).optional(),
  output: z.enum(['text', 'json']).default('text'),
  timeout_seconds: z.number().positive().max(3600).default(60),
  options: z.record(z.string(), z.unknown()).default({}),
})
type Options = z.infer<typeof Options>

/** What a scorer of a module is told; `options` of the suite stand beside these. */
export interface ModuleScorerArgs extends Omit<ScorerArgs, 'output' | 'expected'> {
  /** The answer; with `output: json` the value that it is. */
  readonly output: unknown
  /** The case's `expected`, whole; with `expects: <key>` what stands at that key. */
  readonly expected?: unknown
}

/** As of autoevals and evalite: `name` may be left out, and a reason may stand in `metadata.rationale`. */
export interface ModuleScore {
  /** 0…1; `null`: it has nothing to say about this case. */
  readonly score: number | null
  readonly name?: string
  readonly reason?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

export type ModuleScorer = (args: ModuleScorerArgs) => ModuleScore | Promise<ModuleScore>

/** Makes the scorer out of the suite's options; it may refuse them by throwing. */
export interface ModuleScorerFactory {
  create(options: Readonly<Record<string, unknown>>): ModuleScorer | Promise<ModuleScorer>
}

/** How a function is asked. @typeParam Args - What it reads of an answer: autoevals' say less than we give. */
export interface FunctionScorer<Args = ModuleScorerArgs> {
  readonly name: string
  readonly score: (args: Args) => ModuleScore | Promise<ModuleScore>
  /** The key of a case's `expected` that it is given, and without which a case is not its business. */
  readonly expects?: string | undefined
  /** Default `text`. */
  readonly output?: 'text' | 'json' | undefined
  /** Default 60 s. A function that never gives way to other work cannot be stopped. */
  readonly timeoutMs?: number | undefined
}

/** A function as a scorer of a suite. */
export function scoreBy<Args = ModuleScorerArgs>(definition: FunctionScorer<Args>): BoundScorer {
  const { name, expects } = definition
  const isAsked = ({ expected }: Expecting) => expects === undefined || expected?.[expects] !== undefined
  return {
    name,
    kind: 'module',
    expects,
    issues: () => [],
    forCase: (testCase) =>
      isAsked(testCase) ? (args) => ask(definition as FunctionScorer<unknown>, args) : undefined,
  }
}

/** A scorer of the user's own, or one of autoevals: an export of a module that stands beside the suite. */
export const moduleScorer: ScorerKind = {
  kind: 'module',
  options: Options,
  bind(given) {
    const parsed = Options.safeParse(given)
    if (!parsed.success) return issuesOf(parsed.error)
    const { use, expects } = parsed.data
    const name = parsed.data.name ?? nameIn(use)
    if (!ScorerName.safeParse(name).success)
      return [{ path: ['use'], message: `needs a name: ${shown(name)} can be none` }]
    return {
      name,
      kind: 'module',
      expects,
      issues: () => [],
      forCase: () => () => {
        throw new EvalFailure('CONFIGURATION', `scorer ${use} was not loaded`)
      },
      load: (suitePath) => load(name, parsed.data, suitePath),
    }
  },
}

const USUAL_NAME = 'scorer'
const nameIn = (use: string): string => use.split('#')[1] ?? USUAL_NAME

async function load(name: string, settings: Options, suitePath: string): Promise<BoundScorer> {
  const { use, expects, output, timeout_seconds, options } = settings
  const named = await importNamed(use, { fromPath: suitePath, what: 'scorer', usualName: USUAL_NAME })
  const { value, exports } = named
  const score =
    typeof value === 'function'
      ? (args: ModuleScorerArgs) => (value as ModuleScorer)({ ...options, ...args })
      : isFactory(value)
        ? await create(use, value, options)
        : undefined
  if (!score) {
    const names = Object.keys(exports).filter((key) => isScorer(exports[key]))
    const there = names.length > 0 ? names.sort().join(', ') : 'none that could be one'
    const what = `no scorer is exported as ${named.name}; exported are ${there}`
    throw new EvalFailure('CONFIGURATION', `scorer ${use}: ${what}`)
  }
  return scoreBy({ name, score, expects, output, timeoutMs: timeout_seconds * 1000 })
}

const isFactory = (value: unknown): value is ModuleScorerFactory =>
  typeof value === 'object' && value !== null && 'create' in value && typeof value.create === 'function'
const isScorer = (value: unknown): boolean => typeof value === 'function' || isFactory(value)

async function create(
  use: string,
  factory: ModuleScorerFactory,
  options: Options['options'],
): Promise<ModuleScorer> {
  let made: unknown
  try {
    made = await factory.create(options)
  } catch (error) {
    const message = `scorer ${use} cannot be made: ${messageOf(error)}`
    throw new EvalFailure('CONFIGURATION', message, { cause: error })
  }
  if (typeof made === 'function') return made as ModuleScorer
  throw new EvalFailure('CONFIGURATION', `scorer ${use} made something that is no function`)
}

async function ask(definition: FunctionScorer<unknown>, args: ScorerArgs): Promise<Score> {
  const { name, expects, output, timeoutMs = 60_000 } = definition
  const found = output === 'json' ? jsonOf(args.output) : { value: args.output }
  if (!found) return { name, score: 0, reason: 'is not JSON' }
  const { expected } = args
  const told = {
    ...args,
    output: found.value,
    expected: expects === undefined ? expected : expected?.[expects],
  }
  const given = await within(
    timeoutMs,
    Promise.resolve().then(() => definition.score(told)),
  ).catch((error: unknown) => {
    if (error instanceof EvalFailure) throw error
    throw new Error(`${name}: ${messageOf(error)}`, { cause: error })
  })
  return read(name, given)
}

/** @throws {Error} It is no score. An error is an error, and never a 0. */
function read(name: string, given: unknown): Score {
  if (typeof given !== 'object' || given === null || !('score' in given))
    throw new Error(`${name} answered ${shown(given)}, not { score, reason? }`)
  const { score, reason, metadata, error } = given as Partial<Record<string, unknown>>
  if (error !== undefined && error !== null) throw new Error(`${name}: ${messageOf(error)}`)
  if (score !== null && !(typeof score === 'number' && score >= 0 && score <= 1))
    throw new RangeError(
      `${name} scored ${shown(score)}, not a number from 0 to 1, or null for nothing to say`,
    )
  const details =
    typeof metadata === 'object' && metadata !== null ? (metadata as Score['metadata']) : undefined
  const why = reason ?? details?.rationale
  return {
    name,
    score,
    ...(typeof why === 'string' ? { reason: why } : {}),
    ...(details ? { metadata: details } : {}),
  }
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no score within ${timeoutMs / 1000} s`)), timeoutMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
