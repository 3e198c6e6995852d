import {
  isAbsence,
  type Prompt,
  type PromptInfo,
  type PromptVersion,
  type Registry,
  type Template,
} from '@promptkeep/client'
import { canBeFile, fileDigestOf, type PromptFile, type PromptLock } from '@promptkeep/client/files'
import { sourceOf } from '@promptkeep/client/includes'
import { type PromptContent, suggest, TAG } from '@promptkeep/client/protocol'
import { CliError } from '../cli-error.ts'
import { listAll, searchVersions } from '../find-version.ts'
import { compareSides, type SyncState } from './compare.ts'
import { findMoves, type PartMove } from './parts.ts'

/** One prompt, looked at from both sides. */
export interface Finding {
  readonly name: string
  readonly state: SyncState
  readonly file?: PromptFile | undefined
  readonly fileDigest?: string | undefined
  readonly lockDigest?: string | undefined
  /** The prompt in the registry; absent when it has none of this name. */
  readonly prompt?: PromptInfo | undefined
  /** What the alias says. */
  readonly there?: There | undefined
  /** What the version behind the alias includes, where it is another text now. */
  readonly movedParts: readonly PartMove[]
  /** The newest version that holds the file's text, when the alias says another (see `Sides`). */
  readonly held?: { readonly version: number; readonly waiting: boolean } | undefined
}

/** A version's content; files are compared with it as it was written, that is, with its includes. */
export interface There
  extends Pick<Prompt, 'version' | 'alias' | 'template' | 'modelConfig' | 'responseFormat' | 'tags'> {
  readonly source: Template
  /** Of `source`, as files are compared. */
  readonly digest: string
}

export interface SurveyRequest {
  readonly files: readonly PromptFile[]
  readonly lock: PromptLock
  /** First the alias that was asked for, then what stands in for it. */
  readonly chain: readonly string[]
  /** Only these prompts; all when absent. */
  readonly only?: readonly string[] | undefined
}

/** As many prompts are asked for at once. */
const PARALLEL = 8

/** An alias stands in front of `production`, as it does in an eval: what it lacks is compared with that. */
export const chainOf = (alias: string): string[] => (alias === 'production' ? [alias] : [alias, 'production'])

/** Compares every file with the registry, and names what only the registry has. Sorted by name. */
export async function surveyPrompts(registry: Registry, request: SurveyRequest): Promise<Finding[]> {
  const { files, lock, chain, only } = request
  const prompts = new Map((await listAll(registry)).map((prompt) => [prompt.name, prompt]))
  const byName = new Map(files.map((file) => [file.name, file]))
  const names = [...new Set([...byName.keys(), ...prompts.keys()])]
    .filter((name) => only === undefined || only.includes(name))
    .sort()
  const findings: Finding[] = []
  for (let i = 0; i < names.length; i += PARALLEL) {
    const batch = names.slice(i, i + PARALLEL).map((name) => {
      const lockDigest = Object.hasOwn(lock.prompts, name) ? lock.prompts[name]?.digest : undefined
      return survey(registry, name, { file: byName.get(name), lockDigest, prompts, chain })
    })
    findings.push(...(await Promise.all(batch)))
  }
  return findings
}

/**
 * @throws {CliError} for an alias that no prompt has: everything would be compared with `production` unnoticed. Nothing
 *   has `production` before the first push.
 */
export function checkHeld(alias: string, findings: readonly Finding[], none = 'no prompt'): void {
  const isHeld = findings.some(({ prompt }) => prompt?.aliases[alias] !== undefined)
  if (alias === 'production' || isHeld) return
  const aliases = new Set(findings.flatMap(({ prompt }) => Object.keys(prompt?.aliases ?? {})))
  const hint =
    suggest(alias, [...aliases]) ||
    (aliases.size === 0 ? undefined : `There is ${[...aliases].sort().join(', ')}.`)
  throw new CliError(`${none} has the alias ${alias}`, { hint })
}

interface Known {
  readonly file: PromptFile | undefined
  readonly lockDigest: string | undefined
  readonly prompts: ReadonlyMap<string, PromptInfo>
  readonly chain: readonly string[]
}

async function survey(registry: Registry, name: string, known: Known): Promise<Finding> {
  const { file, lockDigest, prompts, chain } = known
  const prompt = prompts.get(name)
  const there = prompt === undefined ? undefined : await readBehindAlias(registry, prompt, chain)
  const fileDigest = file === undefined ? undefined : await fileDigestOf(file)
  const found =
    prompt === undefined || fileDigest === undefined || there?.digest === fileDigest
      ? undefined
      : await searchVersions(
          registry,
          name,
          async (version) => (await sourceDigestOf(version)) === fileDigest,
        )
  const held = found && {
    version: found.version,
    waiting: there === undefined || (await isWaiting(registry, found, there)),
  }
  const state = compareSides({
    file: fileDigest,
    lock: lockDigest,
    there: there && { ...there, seeded: Object.hasOwn(there.tags, TAG.seeded) },
    held,
  })
  return {
    name,
    state,
    file,
    fileDigest,
    lockDigest,
    prompt,
    there,
    movedParts: file && there ? await findMoves(registry, there.tags, prompts, chain) : [],
    held,
  }
}

/** The digest of a version as it was written: what is in a file, and in the lock. */
export const sourceDigestOf = (version: PromptContent & { readonly tags: Prompt['tags'] }): Promise<string> =>
  fileDigestOf({ ...version, template: sourceOf(version) })

async function readBehindAlias(
  registry: Registry,
  prompt: PromptInfo,
  chain: readonly string[],
): Promise<Finding['there']> {
  const alias = chain.find((one) => prompt.aliases[one] !== undefined)
  if (alias === undefined || !canBeFile(prompt.name)) return undefined
  try {
    const { version, template, modelConfig, responseFormat, tags } = await registry.load(prompt.name, {
      alias,
    })
    const content = {
      template,
      ...(modelConfig && { modelConfig }),
      ...(responseFormat && { responseFormat }),
    }
    const digest = await sourceDigestOf({ ...content, tags })
    return { version, alias, tags, ...content, source: sourceOf({ template, tags }), digest }
  } catch (error) {
    // Removed since the listing.
    if (isAbsence(error)) return undefined
    throw error
  }
}

/**
 * Whether a version was made after the alias's last move: the log's order says it. A stock MLflow server has no log,
 * only the time of the last move, and not even that for a move that was made without us: then the higher number waits.
 */
async function isWaiting(
  registry: Registry,
  held: PromptVersion,
  there: { readonly version: number; readonly alias?: string },
): Promise<boolean> {
  if (held.version < there.version) return false
  let pageToken: string | undefined
  do {
    const page = await registry.changes(held.name, { limit: 100, pageToken })
    for (const { kind, alias, to, at, seq } of page.items) {
      if (kind === 'version.registered' && to === held.version) return true
      if (kind === 'alias.moved' && alias === there.alias) return seq === undefined && at <= held.createdAt
    }
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return true
}
