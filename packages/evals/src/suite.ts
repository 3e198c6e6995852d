import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import type { Estimand } from './paired.ts'
import type { BoundScorer } from './scorers/define-scorer.ts'
import { SCORER_KINDS } from './scorers/kinds.ts'
import { type Issue, parseSource, readAs, refuse, type SourceFile } from './source-file.ts'
import { type COMMON, Manifest, type PromptTarget } from './suite-manifest.ts'

/** Which number decides, and how: `higher` passes at or above the threshold, `lower` at or below it. */
export interface Gate {
  readonly metric: string
  readonly direction: 'higher' | 'lower'
  /** 0…1 */
  readonly threshold: number
  /** How much worse than the baseline is still good enough, 0 < δ < 1. Default 0.1. */
  readonly margin: number
}

/** One suite: what is asked, of whom, and what counts as good. */
export interface Suite {
  readonly name: string
  readonly description?: string | undefined
  /** Absolute path of the manifest. */
  readonly path: string
  /** Absolute path of the dataset. */
  readonly dataset: string
  /** What a run says it judged: `file.ts#name` relative to the manifest, an http address, or `prompt:<name>`. */
  readonly target: string
  /** The target is this prompt of the registry, and a model. */
  readonly promptTarget?: PromptTarget | undefined
  readonly scorers: readonly BoundScorer[]
  /** All must hold; the first is the main one, which flags and summaries speak of. */
  readonly gates: readonly [Gate, ...Gate[]]
  /** Scorers that tolerate no miss: one score below 1, or one error, fails the run. */
  readonly hard: readonly string[]
  readonly estimand: Estimand
  /** Suite and target always answer the same. */
  readonly deterministic: boolean
  /** It judges every candidate: `watch` runs it, and `promote` asks for it. */
  readonly core: boolean
  /** How often each case is run. */
  readonly trials: number
  /** How often an infrastructure error is tried again, for each trial. */
  readonly retries: number
  /** Cases under way at once. */
  readonly concurrency: number
  /** Longest time for one case, in milliseconds. */
  readonly caseTimeoutMs: number
  /** In US dollars; without them the cost of a run is unknown. */
  readonly prices?: Prices | undefined
}

export interface Prices {
  /** For a million tokens. */
  readonly input: number
  readonly output: number
}

/**
 * Reads a manifest.
 * @param path - Where it was read from: relative paths in it start there.
 * @throws {SourceError} Everything that is wrong with it, each with its line.
 */
export function parseSuite(text: string, path: string): Suite {
  const source = parseSource(text, path)
  if (Array.isArray(source.value))
    refuse(source, [
      {
        path: [],
        message:
          'a suite has name, dataset, target and scorers, and this is a list: a dataset? It belongs in a folder of its own, such as datasets/',
      },
    ])
  const manifest = readAs(source, Manifest)
  const { target, prices } = manifest
  return {
    ...readCommon(source, manifest, manifest.scorers),
    path: resolve(path),
    dataset: resolve(dirname(path), manifest.dataset),
    ...(typeof target === 'string' ? { target } : { target: nameOf(target), promptTarget: target }),
    caseTimeoutMs: manifest.timeout_seconds * 1000,
    prices: prices && { input: prices.input_per_million, output: prices.output_per_million },
  }
}

/** Two suites that ask a prompt in different ways have different targets. */
export function nameOf({ prompt, model, variables = {} }: PromptTarget): string {
  const places = Object.entries(variables).sort(([a], [b]) => (a < b ? -1 : 1))
  const settings = [...(model === undefined ? [] : [['model', model]]), ...places]
  const text = settings.map(([key, value]) => `${key}=${value}`).join('&')
  return `prompt:${prompt}${text === '' ? '' : `?${text}`}`
}

/** A scorer as a suite names it, or as code brings it. */
export type ScorerEntry = string | Readonly<Record<string, unknown>> | BoundScorer

type Common = z.infer<z.ZodObject<typeof COMMON>>

/**
 * What every suite has, however it is written.
 * @throws {SourceError} Scorers that there are not, or gates about something that no scorer measures.
 */
export function readCommon(
  source: SourceFile,
  common: Common,
  entries: readonly ScorerEntry[],
): Omit<Suite, 'path' | 'dataset' | 'target' | 'caseTimeoutMs' | 'prices'> {
  const { scorers, issues } = bindScorers(entries)
  if (issues.length > 0) refuse(source, issues)
  const gates = readGates(source, common, scorers)
  const { name, description, hard, estimand, deterministic, core, trials, retries, concurrency } = common
  return {
    ...{ name, description, scorers, gates, hard, estimand, deterministic, core },
    ...{ trials, retries, concurrency },
  }
}

/** One gate by `metric` and `threshold`, or several as `gates`; each about a metric that the suite has. */
function readGates(source: SourceFile, common: Common, scorers: readonly BoundScorer[]): [Gate, ...Gate[]] {
  const { gates, metric, direction, threshold, margin, hard } = common
  const metrics = ['pass_rate', ...scorers.map(({ name }) => `score.${name}`)]
  const issues: Issue[] = []
  if ((gates === undefined) === (threshold === undefined))
    issues.push({ path: [gates ? 'gates' : 'threshold'], message: 'must have either threshold or gates' })
  // Defaults fill these in, so that only what is written tells.
  const written = Object.keys(source.value ?? {})
  if (gates)
    for (const key of ['metric', 'direction', 'margin'].filter((one) => written.includes(one)))
      issues.push({ path: [key], message: 'belongs to a lone threshold; of gates each has its own' })
  const [first, ...more]: Gate[] = gates ?? [{ metric, direction, threshold: threshold ?? 0, margin }]
  for (const [i, gate] of [first as Gate, ...more].entries())
    if (!metrics.includes(gate.metric))
      issues.push({
        path: gates ? ['gates', i, 'metric'] : ['metric'],
        message: `must be one of ${metrics.join(', ')}`,
      })
  for (const [i, name] of hard.entries())
    if (!scorers.some((scorer) => scorer.name === name))
      issues.push({
        path: ['hard', i],
        message: `must be a scorer of this suite: ${scorers.map((s) => s.name).join(', ')}`,
      })
  if (issues.length > 0) refuse(source, issues)
  return [first as Gate, ...more]
}

/** An entry is a kind's name, or `kind: options`. */
function bindScorers(entries: readonly ScorerEntry[]): {
  scorers: BoundScorer[]
  issues: Issue[]
} {
  const scorers: BoundScorer[] = []
  const issues: Issue[] = []
  const add = (scorer: BoundScorer, at: readonly PropertyKey[]) => {
    if (scorers.some((other) => other.name === scorer.name))
      issues.push({ path: at, message: `a second scorer named ${scorer.name}: give it a name of its own` })
    else scorers.push(scorer)
  }
  for (const [index, entry] of entries.entries()) {
    const at = ['scorers', index]
    if (isBound(entry)) {
      add(entry, at)
      continue
    }
    const [[name, options] = ['', {}], ...rest] =
      typeof entry === 'string' ? [[entry, {}]] : Object.entries(entry)
    if (rest.length > 0 || name === '') {
      issues.push({ path: at, message: 'must be the name of a scorer, or one name with its options' })
      continue
    }
    const kind = SCORER_KINDS.find((candidate) => candidate.kind === name)
    if (!kind) {
      const known = SCORER_KINDS.map((candidate) => candidate.kind).join(', ')
      issues.push({ path: at, message: `unknown scorer ${JSON.stringify(name)}; there are ${known}` })
      continue
    }
    const bound = kind.bind(options ?? {})
    if ('forCase' in bound) add(bound, at)
    else issues.push(...bound.map((issue) => ({ ...issue, path: [...at, name, ...issue.path] })))
  }
  return { scorers, issues }
}

const isBound = (entry: ScorerEntry): entry is BoundScorer =>
  typeof entry === 'object' && typeof entry.forCase === 'function'
