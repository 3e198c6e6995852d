import { hasCode, type PromptInfo, type Registry } from '@promptkeep/client'
import { type PromptFile, readUtf8 } from '@promptkeep/client/files'
import { type FindPart, IncludeError, includesOf, type Part, partsOf } from '@promptkeep/client/includes'
import { CliError } from '../cli-error.ts'

/** A part of a version that is another one now. */
export interface PartMove {
  readonly part: Part
  /** The alias by which it was looked at; a bare name follows the one that was asked for. */
  readonly alias: string
  /** Absent when nothing is behind the alias any more. */
  readonly now?: number
}

/** What an include names, as the registry says it now. */
export const findIn =
  (registry: Registry): FindPart =>
  async ({ name, alias, version }) => {
    const wanted = version === undefined ? (alias === undefined ? {} : { alias }) : { version }
    const prompt = await registry.load(name, wanted)
    const { template, modelConfig, responseFormat, tags, digest } = prompt
    return { name, version: prompt.version, template, modelConfig, responseFormat, tags, digest }
  }

/**
 * Parts whose alias says another text than the one that was put in. What a part brought along counts as well: the part
 * comes first, then what it is in.
 */
export async function findMoves(
  registry: Registry,
  tags: Readonly<Record<string, string>>,
  prompts: ReadonlyMap<string, PromptInfo>,
  chain: readonly string[],
): Promise<PartMove[]> {
  const moves: PartMove[] = []
  for (const part of partsOf(tags)) {
    if (part.pinned) continue
    const { aliases = {}, latestVersion } = prompts.get(part.name) ?? {}
    const bare = chain.find((alias) => aliases[alias] !== undefined) ?? chain[0]
    const alias = part.alias ?? bare ?? 'production'
    const now = alias === 'latest' ? latestVersion : aliases[alias]
    if (now === part.version) continue
    if (now === undefined) moves.push({ part, alias })
    else if (!(await isSameText(registry, part, now))) moves.push({ part, alias, now })
  }
  return moves
}

/** The same text may have been registered again, or come back under another number. */
async function isSameText(registry: Registry, { name, digest }: Part, version: number): Promise<boolean> {
  try {
    return (await registry.load(name, { version })).digest === digest
  } catch (error) {
    if (hasCode(error, 'VERSION_NOT_FOUND', 'PROMPT_NOT_FOUND', 'DIGEST_MISMATCH')) return false
    throw error
  }
}

/** `tone@production was v3, now v4` */
export const describeMove = ({ part, alias, now }: PartMove): string =>
  `${part.name}@${alias} was ${part.version === 0 ? 'a bundled default' : `v${part.version}`}, ${now === undefined ? 'and is gone' : `now v${now}`}`

/** Parts before what includes them, else by name. @throws {CliError} for files that include each other in a circle */
export async function orderByIncludes<
  T extends { readonly name: string; readonly file?: PromptFile | undefined },
>(all: readonly T[]): Promise<T[]> {
  const byName = new Map(all.map((one) => [one.name, one]))
  const ordered = new Set<T>()
  async function visit(one: T, path: readonly string[]): Promise<void> {
    if (ordered.has(one)) return
    if (path.includes(one.name)) {
      const circle = [...path.slice(path.indexOf(one.name)), one.name].join(' -> ')
      throw new CliError(`${one.file?.path}: a prompt cannot include itself: ${circle}`)
    }
    const { file } = one
    const includes = file ? await inFile(file, () => includesOf(file.template)) : []
    for (const { reference } of includes) {
      const part = byName.get(reference.name)
      if (part?.file) await visit(part, [...path, one.name])
    }
    ordered.add(one)
  }
  for (const one of all) await visit(one, [])
  return [...ordered]
}

/** An include that fails is told with the line of the file on which it stands. */
export async function inFile<T>(file: { readonly path?: string }, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof IncludeError)) throw cause
    const { path } = file
    const lines = path === undefined ? [] : (await readUtf8(path)).split('\n')
    const at = lines.findIndex((line) => line.includes(cause.statement))
    const message = at < 0 ? cause.message : `${path}:${at + 1}: ${cause.statement}: ${cause.reason}`
    throw new CliError(message, { hint: hintOf(cause), cause })
  }
}

const hintOf = ({ cause }: IncludeError): string | undefined =>
  hasCode(cause, 'PROMPT_NOT_FOUND', 'ALIAS_NOT_FOUND')
    ? 'A part must be there first: push its file along, or register it and point its alias.'
    : undefined
