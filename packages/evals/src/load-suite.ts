import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseAliasChain } from './aliases.ts'
import { digestOfManifest } from './code-digest.ts'
import { checkDataset, type Dataset, parseDataset } from './dataset.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { type EvalFile, loadEvalFile } from './eval-file.ts'
import { parseSuite, type Suite } from './suite.ts'
import { isEvalFile } from './suite-files.ts'
import { type LoadedTarget, loadTarget } from './targets/load-target.ts'

/** What a run is asked for: a suite, and what to change of it for this once. */
export interface EvalOptions {
  /** Path of the manifest, or of a file `*.eval.ts`. */
  readonly suite: string
  /** Path of another dataset, from the working folder. */
  readonly dataset?: string | undefined
  /** Model for the target; its own when absent. */
  readonly model?: string | undefined
  /** Recorded with the run; scorers that need a judge ask it. */
  readonly judgeModel?: string | undefined
  /** 0…1, in place of the threshold of the suite's main gate. */
  readonly passThreshold?: number | undefined
  /** An alias, a chain separated by commas, or `experiment` for experiment → production. Default `production`. */
  readonly promptAlias?: string | undefined
  /** In place of the suite's own; ranges are the manifest's. */
  readonly trials?: number | undefined
  readonly retries?: number | undefined
  readonly concurrency?: number | undefined
  /** For one trial, in seconds. */
  readonly timeoutSeconds?: number | undefined
}

/** A suite with everything that it names, read and checked; nothing was asked of any server. */
export interface LoadedSuite {
  readonly options: EvalOptions
  readonly suite: Suite
  readonly dataset: Dataset
  readonly target: LoadedTarget
  readonly gates: Suite['gates']
  readonly promptAlias: readonly string[]
  /** SHA-256 of the manifest as it is written; absent when it is no file. */
  readonly manifestDigest?: string
}

/**
 * Reads and checks all that a run needs from files: what `--dry-run` does.
 * @throws {EvalFailure} `CONFIGURATION`; a `SourceError` names every problem of a file with its line.
 */
export async function loadSuite(
  options: EvalOptions,
  deps: { readonly fetch: typeof globalThis.fetch },
): Promise<LoadedSuite> {
  const { passThreshold } = options
  if (passThreshold !== undefined && !(passThreshold >= 0 && passThreshold <= 1)) {
    throw new EvalFailure('CONFIGURATION', `a pass threshold is a number from 0 to 1, not ${passThreshold}`)
  }
  const promptAlias = parseAliasChain(options.promptAlias ?? 'production')
  const manifest = await readText(options.suite, 'suite')
  const file = isEvalFile(options.suite)
    ? await loadEvalFile(options.suite)
    : await loadManifest(options.suite)
  const suite = withLimits(await withModules(file.suite), options)
  const dataset = await loadData(file, suite, options.dataset)
  const target = await file.loadTarget(deps)
  const [main, ...others] = suite.gates
  const threshold = passThreshold ?? main.threshold
  const gates: Suite['gates'] = [{ ...main, threshold }, ...others]
  return { options, suite, dataset, target, gates, promptAlias, manifestDigest: digestOfManifest(manifest) }
}

/** A suite in a file, before its data are looked at. */
type SuiteFile = Pick<EvalFile, 'suite' | 'loadTarget'> & Partial<EvalFile>

async function loadManifest(path: string): Promise<SuiteFile> {
  const suite = parseSuite(await readText(path, 'suite'), path)
  return { suite, loadTarget: (deps) => loadTarget(suite, deps) }
}

/** @param other - A dataset that was asked for in place of the suite's own. */
async function loadData(
  { readData }: SuiteFile,
  { name, path, dataset, scorers }: Suite,
  other: string | undefined,
): Promise<Dataset> {
  if (readData && other === undefined) return checkDataset(await readData(), scorers, { name, path })
  const from = other === undefined ? dataset : resolve(other)
  return parseDataset(await readText(from, 'dataset'), from, scorers)
}

/** The suite with the scorers that stand in modules of their own. */
async function withModules(suite: Suite): Promise<Suite> {
  const scorers = await Promise.all(suite.scorers.map((scorer) => scorer.load?.(suite.path) ?? scorer))
  return { ...suite, scorers }
}

const LIMITS = {
  trials: [1, 100],
  retries: [0, 10],
  concurrency: [1, 64],
  timeoutSeconds: [0.001, 3600],
} as const

/** The suite with what the options say of how it is run. */
function withLimits(suite: Suite, options: EvalOptions): Suite {
  for (const [key, [least, most]] of Object.entries(LIMITS)) {
    const value = options[key as keyof typeof LIMITS]
    if (value === undefined) continue
    const isWhole = key === 'timeoutSeconds' || Number.isInteger(value)
    if (!isWhole || !(value >= least && value <= most))
      throw new EvalFailure('CONFIGURATION', `${key} is a number from ${least} to ${most}, not ${value}`)
  }
  const { trials, retries, concurrency, timeoutSeconds } = options
  return {
    ...suite,
    trials: trials ?? suite.trials,
    retries: retries ?? suite.retries,
    concurrency: concurrency ?? suite.concurrency,
    caseTimeoutMs: timeoutSeconds === undefined ? suite.caseTimeoutMs : timeoutSeconds * 1000,
  }
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new EvalFailure('CONFIGURATION', `the ${what} ${path} cannot be read: ${messageOf(error)}`)
  }
}
