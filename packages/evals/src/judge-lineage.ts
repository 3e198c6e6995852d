import { isAbsence, type Lineage } from '@promptkeep/client'
import type { Watched } from './alias-watch.ts'
import { answered, type EvalRegistry } from './aliases.ts'
import { unknownProblems } from './known-version.ts'
import { isKey } from './logged-text.ts'

/** A prompt of a judge. */
export interface JudgePrompt {
  readonly version: number
  readonly digest: string
  /** Absent when it was loaded by number. */
  readonly alias?: string | undefined
}

/**
 * What a suite's judge was asked with, by the rules that hold for what it judges.
 * @throws {EvalFailure} The registry cannot be asked.
 */
export async function traceJudge(
  judgePrompts: Readonly<Record<string, Lineage>>,
  registry: EvalRegistry,
): Promise<{
  readonly prompts: Readonly<Record<string, JudgePrompt>>
  readonly watched: readonly Watched[]
  readonly problems: readonly string[]
}> {
  const prompts: Record<string, JudgePrompt> = {}
  const watched: Watched[] = []
  const problems: string[] = []
  for (const [name, lineage] of Object.entries(judgePrompts).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { version, digest, alias, source } = lineage
    prompts[name] = { version, digest, alias }
    const judges = `the judge's prompt ${name}`
    if (source !== 'registry' && source !== 'cache') {
      problems.push(`${judges} was answered from ${source} (version ${version})`)
      continue
    }
    const unknown = await unknownProblems(name, lineage, registry)
    problems.push(...unknown.map((problem) => `${judges}: ${problem}`))
    if (!isKey(`judge_digest.${name}`)) problems.push(`no param can be named after ${judges}`)
    watched.push({ name, version, aliases: alias === undefined ? [] : [alias], hasNext: false })
    // When the judge resolved it is not known, so the age of a cache says nothing: what the alias says does.
    const now =
      alias === undefined || source === 'registry' ? version : await versionOf(name, alias, registry)
    if (now !== version)
      problems.push(
        `${judges} was v${version} from a cache, and ${alias} says ${now === undefined ? 'nothing' : `v${now}`}`,
      )
  }
  return { prompts, watched, problems }
}

async function versionOf(name: string, alias: string, registry: EvalRegistry): Promise<number | undefined> {
  const info = await answered(
    registry.find(name).catch((error: unknown) => {
      if (!isAbsence(error)) throw error
    }),
  )
  return alias === 'latest' ? info?.latestVersion : info?.aliases[alias]
}
