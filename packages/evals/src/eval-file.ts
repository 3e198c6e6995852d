import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { z } from 'zod'
import { definitionOf, type EvalDefinition, type EvalScorer, type EvalScorerFunction } from './define-eval.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { createTaskTarget } from './eval-task.ts'
import { importNamed } from './import-module.ts'
import { ScorerName } from './scorers/define-scorer.ts'
import { type ModuleScore, scoreBy } from './scorers/module-scorer.ts'
import { type Issue, readAs, refuse, type SourceFile } from './source-file.ts'
import { nameOf, readCommon, type ScorerEntry, type Suite } from './suite.ts'
import { COMMON, PromptTarget } from './suite-manifest.ts'
import { type LoadedTarget, loadTarget } from './targets/load-target.ts'
import { isTargetExport, openTarget } from './targets/module-target.ts'
import { openRunRegistry } from './targets/run-registry.ts'

const isFunction = (value: unknown): boolean => typeof value === 'function'

const Definition = z.strictObject({
  ...COMMON,
  data: z.custom(
    (value) => Array.isArray(value) || isFunction(value),
    'must be a list of cases, or a function',
  ),
  task: z.custom(isFunction, 'must be a function').optional(),
  target: z
    .custom(
      (value) => typeof value === 'string' || isTargetExport(value) || PromptTarget.safeParse(value).success,
      'must be file.ts#name, an http address, { prompt: name }, a target, or a function that makes one',
    )
    .optional(),
  scorers: z.array(z.unknown()).min(1),
  timeoutSeconds: z.number().positive().max(3600).default(60),
  prices: z
    .strictObject({ inputPerMillion: z.number().min(0), outputPerMillion: z.number().min(0) })
    .optional(),
})

/** A suite in TypeScript, read and checked; its data are only asked for when nothing stands in their place. */
export interface EvalFile {
  readonly suite: Suite
  loadTarget(deps: { readonly fetch: typeof globalThis.fetch }): Promise<LoadedTarget>
  /** The cases, as a list that was written in this file. @throws {EvalFailure} They cannot be read. */
  readData(): Promise<SourceFile>
}

/**
 * Imports a file that exports what `defineEval` made.
 * @throws {EvalFailure} `CONFIGURATION`; a `SourceError` names every problem with the line that it is at, as near as the text tells
 */
export async function loadEvalFile(path: string): Promise<EvalFile> {
  const full = resolve(path)
  const definition = await importDefinition(full, path)
  const lines = linesOf(await readFile(full, 'utf8'))
  const source: SourceFile = { path, value: definition, lineOf: ([key]) => lines.ofKey(String(key ?? '')) }
  const read = readAs(source, Definition)
  if ((read.task === undefined) === (read.target === undefined))
    refuse(source, [{ path: ['target'], message: 'must have either task or target' }])
  const { task, target = '' } = definition
  const file = basename(path)
  const named = describeTarget(task ? `${file}#task` : target, file)
  const { prices } = read
  const suite: Suite = {
    ...readCommon(source, read, readScorers(source, definition.scorers)),
    ...named,
    path: full,
    dataset: full,
    caseTimeoutMs: read.timeoutSeconds * 1000,
    prices: prices && { input: prices.inputPerMillion, output: prices.outputPerMillion },
  }
  return {
    suite,
    async loadTarget(deps) {
      if (task) return { open: async (setup) => createTaskTarget(task, setup, openRunRegistry(setup)) }
      if (isTargetExport(target)) return { open: (setup) => openTarget(suite.target, target, setup) }
      return loadTarget(suite, deps)
    },
    readData: () => readData(path, definition, lines),
  }
}

async function importDefinition(full: string, path: string): Promise<EvalDefinition> {
  const { exports } = await importNamed(full, { fromPath: full, what: 'suite', usualName: 'default' })
  const found = [...new Set(Object.values(exports).flatMap((value) => definitionOf(value) ?? []))]
  const [definition] = found
  if (definition && found.length === 1) return definition
  const what = found.length === 0 ? 'exports nothing that defineEval made' : `exports ${found.length} suites`
  throw new EvalFailure('CONFIGURATION', `${path} ${what}: it must export one, by any name or as default`)
}

function describeTarget(
  target: NonNullable<EvalDefinition['target']>,
  file: string,
): Pick<Suite, 'target' | 'promptTarget'> {
  if (typeof target === 'string') return { target }
  if (isTargetExport(target)) return { target: `${file}#target` }
  return { target: nameOf(target), promptTarget: target }
}

/** Code becomes a scorer that is given `expected` whole; the rest is as in a manifest. */
function readScorers(source: SourceFile, scorers: readonly EvalScorer[]): ScorerEntry[] {
  const issues: Issue[] = []
  const entries = scorers.map((scorer, index): ScorerEntry => {
    if (typeof scorer === 'string') return scorer
    const code = codeOf(scorer)
    if (!code) return scorer as Exclude<ScorerEntry, string>
    const { name, score, timeoutMs } = code
    if (!ScorerName.safeParse(name).success) {
      const message = `needs a name of letters, digits, _ and -, not ${JSON.stringify(name)}: write { name, score }`
      issues.push({ path: ['scorers', index], message })
    }
    const whole = async (args: Parameters<EvalScorerFunction>[0]): Promise<ModuleScore> => {
      const given = await score(args)
      return typeof given === 'number' || given === null ? { score: given } : given
    }
    return { ...scoreBy({ name, score: whole, timeoutMs }), readsAll: true }
  })
  if (issues.length > 0) refuse(source, issues)
  return entries
}

interface Code {
  readonly name: string
  readonly score: EvalScorerFunction
  readonly timeoutMs?: number | undefined
}

function codeOf(scorer: Exclude<EvalScorer, string>): Code | undefined {
  if (typeof scorer === 'function') return { name: scorer.name, score: scorer }
  return typeof scorer.score === 'function' ? (scorer as Code) : undefined
}

async function readData(path: string, { data }: EvalDefinition, lines: Lines): Promise<SourceFile> {
  let cases: unknown
  try {
    cases = typeof data === 'function' ? await data() : data
  } catch (error) {
    throw new EvalFailure('CONFIGURATION', `the data of ${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
  const list = Array.isArray(cases) ? cases.map(withoutUndefined) : cases
  return {
    path,
    value: list,
    lineOf: ([index]) => {
      const one: unknown = Array.isArray(list) && typeof index === 'number' ? list[index] : undefined
      return lines.ofText((one as { readonly id?: unknown } | undefined)?.id) ?? lines.ofKey('data')
    },
  }
}

/** A key that is not there and one that says nothing are the same to TypeScript, and have to be to a digest. */
const withoutUndefined = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined))
    : value

interface Lines {
  /** Where a key of the definition stands; else where the definition begins. */
  ofKey(key: string): number
  /** Where this text stands in quotes. */
  ofText(text: unknown): number | undefined
}

function linesOf(source: string): Lines {
  const lines = source.split('\n')
  const start = Math.max(
    0,
    lines.findIndex((line) => line.includes('defineEval(')),
  )
  const find = (isIt: (line: string) => boolean, from: number) => {
    const index = lines.findIndex((line, i) => i >= from && isIt(line))
    return index < 0 ? undefined : index + 1
  }
  return {
    ofKey: (key) =>
      find((line) => new RegExp(`\\b${key.replace(/\W/g, '')}\\b\\s*[:(,}]`).test(line), start) ?? start + 1,
    ofText: (text) =>
      typeof text === 'string' && text !== ''
        ? find((line) => ["'", '"', '`'].some((quote) => line.includes(`${quote}${text}${quote}`)), 0)
        : undefined,
  }
}
