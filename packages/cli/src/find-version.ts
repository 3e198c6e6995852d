import { hasCode, type PromptInfo, type PromptVersion, type Registry } from '@promptkeep/client'
import { parseReference, type Reference, suggest } from '@promptkeep/client/protocol'
import { CliError } from './cli-error.ts'

/** Prompts of a whole registry, page by page. */
export async function listAll(registry: Registry): Promise<PromptInfo[]> {
  const all: PromptInfo[] = []
  let pageToken: string | undefined
  do {
    const page = await registry.list({ limit: 1000, pageToken })
    all.push(...page.items)
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return all
}

/** @throws {CliError} with the nearest name when there is no such prompt */
export async function findPrompt(registry: Registry, name: string): Promise<PromptInfo> {
  try {
    return await registry.find(name)
  } catch (error) {
    if (!hasCode(error, 'PROMPT_NOT_FOUND')) throw error
    const names = (await listAll(registry)).map((prompt) => prompt.name)
    const hint =
      suggest(name, names) ||
      (names.length > 0 ? 'List them with: promptkeep list' : 'It has no prompts yet.')
    throw new CliError((error as Error).message, { hint, cause: error })
  }
}

/** The first version, newest first, that `wanted` accepts; `undefined` when there is none. */
export async function searchVersions(
  registry: Registry,
  name: string,
  wanted: (version: PromptVersion) => boolean | Promise<boolean>,
): Promise<PromptVersion | undefined> {
  let pageToken: string | undefined
  do {
    const page = await registry.versions(name, { pageToken })
    for (const version of page.items) if (await wanted(version)) return version
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return undefined
}

/**
 * The version that a reference means; a bare name means `production`.
 * @throws {CliError} that says which aliases or versions there are
 */
export async function findVersion(registry: Registry, reference: string): Promise<PromptVersion> {
  const wanted = parseReference(reference)
  const prompt = await findPrompt(registry, wanted.name)
  const number = numberOf(wanted, prompt)
  const found = await searchVersions(registry, wanted.name, ({ version }) => version === number)
  if (found !== undefined) return { ...found, aliases: aliasesOf(prompt, number) }
  const newest =
    prompt.latestVersion === undefined ? 'it has no versions' : `its newest is v${prompt.latestVersion}`
  throw new CliError(`prompt "${wanted.name}" has no version ${number}; ${newest}`)
}

function numberOf({ name, alias = 'production', version }: Reference, prompt: PromptInfo): number {
  const number = version ?? (alias === 'latest' ? prompt.latestVersion : prompt.aliases[alias])
  if (number !== undefined) return number
  const aliases = Object.entries(prompt.aliases).map(([has, to]) => `${has} (v${to})`)
  const hint =
    suggest(alias, Object.keys(prompt.aliases)) ||
    (prompt.latestVersion === undefined
      ? undefined
      : `Its newest version is ${name}/${prompt.latestVersion}.`)
  const has = aliases.length > 0 ? `it has ${aliases.join(', ')}` : 'it has none'
  throw new CliError(`prompt "${name}" has no alias "${alias}"; ${has}`, { hint })
}

const aliasesOf = (prompt: PromptInfo, version: number): string[] =>
  Object.keys(prompt.aliases)
    .filter((alias) => prompt.aliases[alias] === version)
    .sort()
