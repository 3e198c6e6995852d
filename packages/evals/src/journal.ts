import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lineage } from '@promptkeep/client'
import type { WatchMark } from './alias-watch.ts'
import type { Case } from './dataset.ts'
import { EvalFailure, messageOf } from './errors.ts'
import type { EvalReport } from './report.ts'
import type { CaseResult } from './runner.ts'

/*
 * What a run knows so far, in a file beside the project: one line of JSON for each trial as it ends. A run that broke off is
 * gone on with from it, and shards are merged from theirs.
 */

/** The first line: which run it is. What two runs must agree in is all of `asked`. */
export interface JournalHeader {
  readonly format: 'promptkeep-eval-journal-1'
  readonly suite: string
  readonly shard?: string
  /** What was asked for, by the words in which a difference is told. */
  readonly asked: Readonly<Record<string, string>>
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Where the registry stood before the run. */
  readonly mark: WatchMark
  readonly run: { readonly id: string; readonly experimentId: string }
}

/** A journal that is read. */
export interface Journal {
  readonly path: string
  readonly header: JournalHeader
  /** By `keyOf`; what ended in an infrastructure or configuration error is not known. */
  readonly results: ReadonlyMap<string, CaseResult>
  readonly judgePrompts: Readonly<Record<string, Lineage>>
  /** Of a run that ended, without its cases: they are `results`. */
  readonly report?: Omit<EvalReport, 'cases'>
}

export interface JournalWriter {
  readonly path: string
  append(result: CaseResult, judgePrompts: Readonly<Record<string, Lineage>>): Promise<void>
  /** Says that the run is over, and removes the journals that are older. */
  end(report: EvalReport): Promise<void>
  /** A run that did not end can be gone on with. */
  close(): Promise<void>
}

export const keyOf = (caseId: string, trial: number): string => `${caseId} ${trial}`

const SUFFIX = '.jsonl'

const stemOf = ({ suite, shard }: Pick<JournalHeader, 'suite' | 'shard'>): string =>
  shard === undefined ? suite : `${suite}.shard-${shard.replace('/', '-of-')}`

/**
 * Begins a journal.
 * @throws {EvalFailure} `CONFIGURATION`: the folder cannot be written to
 */
export async function startJournal(folder: string, header: JournalHeader): Promise<JournalWriter> {
  const path = join(folder, `${stemOf(header)}.${header.run.id.slice(0, 12)}${SUFFIX}`)
  const file = await written(path, async () => {
    // Answers may tell what is nobody else's business.
    await mkdir(folder, { recursive: true, mode: 0o700 })
    // A folder of a tool, which nobody means to commit.
    await writeFile(join(folder, '.gitignore'), '*\n')
    return open(path, 'w')
  })
  const add = (line: object) => written(path, () => file.appendFile(`${JSON.stringify(line)}\n`))
  let known = '{}'
  await add(header)
  return {
    path,
    async append(result, judgePrompts) {
      const judges = JSON.stringify(judgePrompts)
      const text = lineOf(result)
      if (text === undefined) return
      // One write for both: a crash cannot leave a score without the prompt that it was given by.
      const judge = judges === known ? '' : `${JSON.stringify({ judge: judgePrompts })}\n`
      known = judges
      await written(path, () => file.appendFile(`${judge}${text}\n`))
    },
    async end({ cases: _, ...report }) {
      await add({ report })
      // Nobody will go on with what is older than a run that ended.
      for (const other of await journalsOf(folder, header))
        if (other !== path && (await startOf(other)) <= header.startedAt) await rm(other, { force: true })
    },
    close: () => file.close(),
  }
}

/** `undefined` for what JSON cannot say, such as a tool's result that holds itself: it will be run again. */
function lineOf({ case: { id }, ...result }: CaseResult): string | undefined {
  if (result.status === 'not-run' || (result.error && result.error.kind !== 'target')) return undefined
  try {
    return JSON.stringify({ id, ...result })
  } catch {
    return undefined
  }
}

async function written<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new EvalFailure('CONFIGURATION', `the run's journal ${path} cannot be written: ${messageOf(error)}`)
  }
}

/** The last journal of a suite, or of one of its shards; `undefined` when there is none. */
export async function findJournal(
  folder: string,
  of: Pick<JournalHeader, 'suite' | 'shard'>,
  cases: readonly Case[],
): Promise<Journal | undefined> {
  let last: Journal | undefined
  for (const path of await journalsOf(folder, of)) {
    const journal = await readJournal(path, cases)
    if (!last || isLater(journal, last)) last = journal
  }
  return last
}

/** A run that is gone on with keeps its start: of two journals of one, the fuller counts. */
function isLater(one: Journal, other: Journal): boolean {
  const apart = one.header.startedAt - other.header.startedAt
  return apart !== 0 ? apart > 0 : one.report !== undefined || one.results.size > other.results.size
}

/** When a journal's run started; later than any that is read when it cannot be. */
const startOf = (path: string): Promise<number> =>
  readJournal(path, []).then(
    ({ header }) => header.startedAt,
    () => Number.POSITIVE_INFINITY,
  )

async function journalsOf(
  folder: string,
  of: Pick<JournalHeader, 'suite' | 'shard'>,
): Promise<readonly string[]> {
  const stem = stemOf(of)
  const names = await readdir(folder).catch(() => [])
  return names
    .filter((name) => new RegExp(`^${stem}\\.[\\w-]+\\${SUFFIX}$`).test(name))
    .sort()
    .map((name) => join(folder, name))
}

/**
 * Reads a journal. A last line that a crash cut off is left out; cases that the dataset does not have, too.
 * @throws {EvalFailure} `CONFIGURATION`: it is none, or it is damaged
 */
export async function readJournal(path: string, cases: readonly Case[]): Promise<Journal> {
  const wrong = (what: string) =>
    new EvalFailure('CONFIGURATION', `${path} is no journal of an eval run: ${what}`)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new EvalFailure('CONFIGURATION', `the journal ${path} cannot be read: ${messageOf(error)}`)
  })
  const lines = text.split('\n')
  // What follows the last line break was being written when the process ended.
  lines.pop()
  const [header, ...rest] = lines.map((line, index) => {
    try {
      return JSON.parse(line) as unknown
    } catch {
      throw wrong(`line ${index + 1} is not JSON`)
    }
  })
  if (!isHeader(header)) throw wrong('its first line does not say which run it is')
  const byId = new Map(cases.map((one) => [one.id, one]))
  const results = new Map<string, CaseResult>()
  let judgePrompts: Record<string, Lineage> = {}
  let report: Journal['report']
  for (const line of rest as readonly Line[]) {
    if (line.judge) judgePrompts = { ...judgePrompts, ...line.judge }
    if (line.report) report = line.report
    const testCase = line.id === undefined ? undefined : byId.get(line.id)
    if (!testCase || line.trial === undefined) continue
    const { id: _, judge: __, report: ___, ...result } = line
    results.set(keyOf(testCase.id, line.trial), { ...(result as CaseResult), case: testCase })
  }
  return { path, header, results, judgePrompts, ...(report && { report }) }
}

interface Line extends Partial<Omit<CaseResult, 'case'>> {
  readonly id?: string
  readonly judge?: Readonly<Record<string, Lineage>>
  readonly report?: Journal['report']
}

const isHeader = (line: unknown): line is JournalHeader =>
  typeof line === 'object' && line !== null && (line as JournalHeader).format === 'promptkeep-eval-journal-1'

/** In what two runs differ that are to be one, in words; empty when they may be. */
export const whyAnother = (before: JournalHeader['asked'], now: JournalHeader['asked']): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((key) => before[key] !== now[key])
    .map((key) => `${key} was ${before[key] || 'not given'} and is ${now[key] || 'not given'}`)
