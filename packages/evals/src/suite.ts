import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import type { BoundScorer } from './scorers/define-scorer.ts'
import { SCORER_KINDS } from './scorers/kinds.ts'
import { type Issue, parseSource, readAs, refuse } from './source-file.ts'

const SLUG = /^[a-z0-9]+(-[a-z0-9]+)*$/

/** A suite's manifest as it is written. Keys are snake_case, as in a prompt's front matter. */
const Manifest = z.strictObject({
  name: z.string().regex(SLUG, 'must be lower-case letters, digits and single hyphens').max(64),
  description: z.string().optional(),
  dataset: z.string().min(1),
  target: z.string().min(1),
  scorers: z.array(z.union([z.string(), z.record(z.string(), z.unknown())])).min(1),
  metric: z.string().default('pass_rate'),
  direction: z.enum(['higher', 'lower']).default('higher'),
  threshold: z.number().min(0).max(1),
  concurrency: z.int().min(1).max(64).default(4),
  timeout_seconds: z.number().positive().max(3600).default(60),
})

/** Which number decides, and how: `higher` passes at or above the threshold, `lower` at or below it. */
export interface Gate {
  readonly metric: string
  readonly direction: 'higher' | 'lower'
  /** 0…1 */
  readonly threshold: number
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
  readonly gate: Gate
  /** Cases under way at once. */
  readonly concurrency: number
  /** Longest time for one case, in milliseconds. */
  readonly caseTimeoutMs: number
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
  const metrics = ['pass_rate', ...scorers.map(({ name }) => `score.${name}`)]
  if (!metrics.includes(manifest.metric)) {
    refuse(source, [{ path: ['metric'], message: `must be one of ${metrics.join(', ')}` }])
  }
  const { name, description, target, metric, direction, threshold, concurrency } = manifest
  return {
    name,
    description,
    path: resolve(path),
    dataset: resolve(dirname(path), manifest.dataset),
    target,
    scorers,
    gate: { metric, direction, threshold },
    concurrency,
    caseTimeoutMs: manifest.timeout_seconds * 1000,
  }
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
