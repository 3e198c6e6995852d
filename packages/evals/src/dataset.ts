import { basename, extname } from 'node:path'
import { type Json, sha256 } from '@promptkeep/client/protocol'
import { z } from 'zod'
import { parseCsv } from './dataset-csv.ts'
import { messageOf, SourceError } from './errors.ts'
import type { BoundScorer } from './scorers/define-scorer.ts'
import { type Issue, parseSource, readAs, refuse, type SourceFile, withoutMark } from './source-file.ts'
import type { TargetCase } from './target.ts'

/** One case as it is written. */
export const CaseSource = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'must be lower-case letters, digits and hyphens')
    .max(64)
    .describe('Unique, and stable: runs are paired by it'),
  input: z.string().optional().describe("The user's message; of a conversation write turns instead"),
  turns: z
    .array(z.string())
    .min(1)
    .max(100)
    .optional()
    .describe('What the user says, turn by turn; the last answer is judged'),
  context: z.record(z.string(), z.json()).optional().describe('Further data for the target'),
  expected: z.record(z.string(), z.json()).optional().describe('What the scorers of the suite read'),
  seed: z
    .record(z.string(), z.json())
    .optional()
    .describe("What the target's world holds before the first turn"),
  tags: z.array(z.string().min(1)).optional().describe('Slices: none may drop by more than the margin'),
  weight: z.number().positive().optional().describe('In means and rates; default 1'),
  cluster: z.string().min(1).optional().describe('Cases that depend on each other share one, and count once'),
})
const Cases = z.array(CaseSource).min(1, 'must have at least one case')
const Document = z.strictObject({
  $schema: z.string().optional(),
  description: z.string().optional(),
  cases: Cases,
})

/** One golden case: `input` or `turns`, never both. `expected` is what the suite's scorers read. */
export interface Case extends TargetCase {
  readonly expected?: Readonly<Record<string, unknown>>
  readonly tags?: readonly string[]
  /** In means and rates. Default 1. */
  readonly weight?: number
  /** Cases that are not independent of each other share one, and count once. */
  readonly cluster?: string
}

export interface Dataset {
  /** File name without its ending. */
  readonly name: string
  readonly path: string
  readonly cases: readonly Case[]
  /** Lower-case hex SHA-256 over the RFC 8785 form of the list of cases: the same in YAML, JSON, JSON Lines and CSV. */
  readonly digest: string
}

/**
 * Reads a dataset: a list of cases, or `{ description, cases }`, as YAML, JSON, JSON Lines or CSV.
 * @param scorers - Those of the suite: each key of `expected` must be read by one of them, and each case by one.
 * @throws {SourceError} Everything that is wrong with it, each with its line.
 */
export async function parseDataset(
  text: string,
  path: string,
  scorers: readonly BoundScorer[],
): Promise<Dataset> {
  const source =
    extname(path).toLowerCase() === '.csv' ? parseCsv(withoutMark(text), path) : parseSource(text, path)
  return checkDataset(source, scorers, { name: basename(path, extname(path)), path })
}

/**
 * The same for cases from anywhere.
 * @throws {SourceError}
 */
export async function checkDataset(
  source: SourceFile,
  scorers: readonly BoundScorer[],
  of: Pick<Dataset, 'name' | 'path'>,
): Promise<Dataset> {
  const bare = Array.isArray(source.value)
  const at = bare ? [] : ['cases']
  const cases = bare ? readAs(source, Cases) : readAs(source, Document).cases
  const issues = [
    ...repeatedIds(cases, at),
    ...cases.flatMap((testCase, index) => caseIssues(testCase, scorers, [...at, index])),
  ]
  if (issues.length > 0) refuse(source, issues)
  return { ...of, cases: cases as Case[], digest: await digest(cases, source) }
}

type ParsedCase = z.infer<typeof CaseSource>

function repeatedIds(cases: readonly ParsedCase[], at: readonly PropertyKey[]): Issue[] {
  const seen = new Map<string, number>()
  return cases.flatMap(({ id }, index): Issue[] => {
    const first = seen.get(id)
    if (first !== undefined)
      return [{ path: [...at, index, 'id'], message: `${id} is already case ${first + 1}` }]
    seen.set(id, index)
    return []
  })
}

function caseIssues(
  testCase: ParsedCase,
  scorers: readonly BoundScorer[],
  at: readonly PropertyKey[],
): Issue[] {
  const { input, turns, expected = {} } = testCase
  const known = new Set(scorers.flatMap(({ expects }) => expects ?? []))
  const readsAll = scorers.some((scorer) => scorer.readsAll)
  const issues: Issue[] = []
  if ((input === undefined) === (turns === undefined)) {
    issues.push({ path: at, message: 'must have either input or turns' })
  }
  for (const key of Object.keys(expected)) {
    if (readsAll || known.has(key)) continue
    const message = `no scorer of this suite reads it; they read ${[...known].join(', ') || 'nothing'}`
    issues.push({ path: [...at, 'expected', key], message })
  }
  const wrong = uniqueIssues(scorers.flatMap((scorer) => scorer.issues(testCase)))
  issues.push(...wrong.map((issue) => ({ ...issue, path: [...at, ...issue.path] })))
  if (issues.length === 0 && scorers.every((scorer) => !scorer.forCase(testCase))) {
    issues.push({ path: at, message: 'no scorer of this suite has anything to check in this case' })
  }
  return issues
}

/** Two scorers of one kind read the same key and find the same fault. */
function uniqueIssues(issues: readonly Issue[]): Issue[] {
  const byText = new Map(issues.map((issue) => [JSON.stringify([issue.path, issue.message]), issue]))
  return [...byText.values()]
}

/** @throws {SourceError} For text that has no RFC 8785 form (a lone surrogate). */
async function digest(cases: readonly ParsedCase[], source: SourceFile): Promise<string> {
  try {
    return await sha256(cases as readonly Json[])
  } catch (error) {
    throw new SourceError(source.path, [{ line: 1, message: messageOf(error) }])
  }
}
