import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import type { Estimand } from './paired.ts'
import type { BoundScorer } from './scorers/define-scorer.ts'
import { SCORER_KINDS } from './scorers/kinds.ts'
import { type Issue, parseSource, readAs, refuse, type SourceFile } from './source-file.ts'

const SLUG = /^[a-z0-9]+(-[a-z0-9]+)*$/

const margin = z.number().gt(0).lt(1).default(0.1)

/** A suite's manifest as it is written. Keys are snake_case, as in a prompt's front matter. */
const Manifest = z.strictObject({
  name: z.string().regex(SLUG, 'must be lower-case letters, digits and single hyphens').max(64),
  description: z.string().optional(),
  dataset: z.string().min(1),
  target: z.string().min(1),
  scorers: z.array(z.union([z.string(), z.record(z.string(), z.unknown())])).min(1),
  metric: z.string().default('pass_rate'),
  direction: z.enum(['higher', 'lower']).default('higher'),
  threshold: z.number().min(0).max(1).optional(),
  margin,
  gates: z
    .array(
      z.strictObject({
        metric: z.string(),
        direction: z.enum(['higher', 'lower']).default('higher'),
        threshold: z.number().min(0).max(1),
        margin,
      }),
    )
    .min(1)
    .optional(),
  hard: z.array(z.string()).default([]),
  estimand: z.enum(['these-cases', 'such-cases']).default('such-cases'),
  deterministic: z.boolean().default(false),
  core: z.boolean().default(false),
  trials: z.int().min(1).max(100).default(1),
  retries: z.int().min(0).max(10).default(2),
  concurrency: z.int().min(1).max(64).default(4),
  timeout_seconds: z.number().positive().max(3600).default(60),
  prices: z
    .strictObject({
      input_per_million: z.number().min(0),
      output_per_million: z.number().min(0),
    })
    .optional(),
})

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
  /** As written: `file.ts#name` relative to the manifest, or an http address. */
  readonly target: string
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
  const manifest = readAs(source, Manifest)
  const { scorers, issues } = bindScorers(manifest.scorers)
  if (issues.length > 0) refuse(source, issues)
  const gates = readGates(source, manifest, scorers)
  const {
    name,
    description,
    target,
    concurrency,
    hard,
    estimand,
    deterministic,
    core,
    trials,
    retries,
    prices,
  } = manifest
  return {
    name,
    description,
    path: resolve(path),
    dataset: resolve(dirname(path), manifest.dataset),
    target,
    scorers,
    gates,
    hard,
    estimand,
    deterministic,
    core,
    trials,
    retries,
    concurrency,
    caseTimeoutMs: manifest.timeout_seconds * 1000,
    prices: prices && { input: prices.input_per_million, output: prices.output_per_million },
  }
}

/** One gate by `metric` and `threshold`, or several as `gates`; each about a metric that the suite has. */
function readGates(
  source: SourceFile,
  manifest: z.infer<typeof Manifest>,
  scorers: readonly BoundScorer[],
): [Gate, ...Gate[]] {
  const { gates, metric, direction, threshold, margin, hard } = manifest
  const metrics = ['pass_rate', ...scorers.map(({ name }) => `score.${name}`)]
  const issues: Issue[] = []
  if ((gates === undefined) === (threshold === undefined))
    issues.push({ path: [gates ? 'gates' : 'threshold'], message: 'must have either threshold or gates' })
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
function bindScorers(entries: readonly (string | Readonly<Record<string, unknown>>)[]): {
  scorers: BoundScorer[]
  issues: Issue[]
} {
  const scorers: BoundScorer[] = []
  const issues: Issue[] = []
  for (const [index, entry] of entries.entries()) {
    const at = ['scorers', index]
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
    if (!('forCase' in bound)) {
      issues.push(...bound.map((issue) => ({ ...issue, path: [...at, name, ...issue.path] })))
    } else if (scorers.some((other) => other.name === bound.name)) {
      issues.push({ path: at, message: `a second scorer named ${bound.name}: give it a name of its own` })
    } else scorers.push(bound)
  }
  return { scorers, issues }
}
