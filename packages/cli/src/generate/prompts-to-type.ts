import { hasCode, type JsonObject, type PromptInfo, type Registry, type Template } from '@promptkeep/client'
import { fileDigestOf, type PromptFile } from '@promptkeep/client/files'
import { expandDraft, type FindPart } from '@promptkeep/client/includes'
import {
  InvalidInput,
  responseSchemaOf,
  suggest,
  type VariableUse,
  variableUsesOf,
} from '@promptkeep/client/protocol'
import { CliError } from '../cli-error.ts'
import { listAll } from '../find-version.ts'
import type { TypedPrompt } from './types-file.ts'

/** A prompt with the digest of the text that its types are made from, as files are compared. */
export interface PromptToType extends TypedPrompt {
  readonly digest: string
}

export interface Found {
  readonly prompts: readonly PromptToType[]
  /** What whoever generates should know, by prompt. */
  readonly notes: readonly { readonly name: string; readonly note: string }[]
}

/** As many prompts are asked for at once. */
const PARALLEL = 8

/**
 * An include means another file of the folder, by whatever alias: that is what a push of the folder makes of it.
 * @param names - Only these; all when empty.
 * @throws {CliError} for one that has no file, and for a text that cannot be rendered, naming its file
 */
export async function fromFolder(
  files: readonly PromptFile[],
  names: readonly string[],
  aliases: readonly string[],
): Promise<Found> {
  checkNames(
    names,
    files.map(({ name }) => name),
    'there is no file of a prompt',
  )
  const chosen = files.filter(({ name }) => names.length === 0 || names.includes(name))
  const find: FindPart = async ({ name }) => {
    const file = files.find((one) => one.name === name)
    if (file) return { ...file, version: 0, digest: await fileDigestOf(file), tags: file.tags ?? {} }
    throw new InvalidInput(`the folder has no prompt "${name}": put it there, or use --from registry`)
  }
  const prompts = chosen.map(async (file) => ({
    name: file.name,
    description: file.description,
    aliases,
    ...(await within(file.path, async () => contentTypes(await expandDraft(file, find)))),
    digest: await fileDigestOf(file),
  }))
  return { prompts: await Promise.all(prompts), notes: [] }
}

/** Says where a text cannot be read. */
async function within<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!hasCode(cause, 'INVALID_INPUT')) throw cause
    throw new CliError(`${where}: ${(cause as Error).message}`, { cause })
  }
}

/**
 * What the first alias of the chain says of each prompt. Its other aliases are known as well: they are meant to take the
 * same values, and a note says where they do not.
 * @throws {CliError} for a name that the registry has no prompt of, or none of these aliases
 */
export async function fromRegistry(
  registry: Registry,
  names: readonly string[],
  chain: readonly string[],
): Promise<Found> {
  const all = await listAll(registry)
  checkNames(
    names,
    all.map(({ name }) => name),
    'the registry has no prompt',
  )
  const chosen = all.filter(({ name }) => names.length === 0 || names.includes(name))
  const missing = chosen.filter((prompt) => aliasOf(prompt, chain) === undefined)
  const none = `has no alias ${chain.join(' or ')}`
  if (names.length > 0 && missing[0]) throw new CliError(`prompt "${missing[0].name}" ${none}`)
  const notes = missing.map(({ name }) => ({ name, note: `it ${none}, so it is left out` }))
  const prompts: PromptToType[] = []
  for (let i = 0; i < chosen.length; i += PARALLEL) {
    const batch = await Promise.all(
      chosen.slice(i, i + PARALLEL).map((prompt) => readPrompt(registry, prompt, aliasOf(prompt, chain))),
    )
    for (const [j, { prompt, notes: said }] of batch.entries()) {
      const { name } = chosen[i + j] as PromptInfo
      if (prompt) prompts.push(prompt)
      else if (names.length > 0) throw new CliError(`prompt "${name}": ${said.join('; ')}`)
      notes.push(...said.map((note) => ({ name, note })))
    }
  }
  return { prompts, notes }
}

const aliasOf = ({ aliases }: PromptInfo, chain: readonly string[]) =>
  chain.find((alias) => Object.hasOwn(aliases, alias))

/** Only a note for one that nobody can load from TypeScript: MLflow's Python client renders more. */
async function readPrompt(
  registry: Registry,
  { name, description, aliases }: PromptInfo,
  alias: string | undefined,
): Promise<{ readonly prompt?: PromptToType; readonly notes: readonly string[] }> {
  if (alias === undefined) return { notes: [] }
  const said = await registry.load(name, { alias })
  const types = tryTypes(said)
  if (typeof types === 'string')
    return { notes: [`v${said.version} cannot be rendered (${types}), so it is left out`] }
  const prompt: PromptToType = {
    name,
    description: description === '' ? undefined : description,
    aliases: Object.keys(aliases),
    ...types,
    digest: await fileDigestOf(said),
  }
  const others = Object.keys(aliases).filter((other) => aliases[other] !== said.version)
  const notes = await Promise.all(
    others.sort().map(async (other) => {
      const version = tryTypes(await registry.load(name, { alias: other }))
      const differs = typeof version === 'string' ? 'cannot be rendered' : difference(types, version)
      return differs && `${other} (v${aliases[other]}) ${differs}, and the types are those of ${alias}`
    }),
  )
  return { prompt, notes: notes.filter((note) => note !== undefined) }
}

/** The reason in place of the types where there are none. */
function tryTypes(content: Content): ContentTypes | string {
  try {
    return contentTypes(content)
  } catch (error) {
    if (!hasCode(error, 'INVALID_INPUT')) throw error
    return (error as Error).message
  }
}

interface ContentTypes extends Pick<TypedPrompt, 'kind' | 'variables' | 'schema'> {}

interface Content {
  readonly template: Template
  readonly responseFormat?: JsonObject | undefined
}

/** @throws {InvalidInput} for a template that cannot be rendered */
function contentTypes({ template, responseFormat }: Content): ContentTypes {
  return {
    kind: typeof template === 'string' ? 'text' : 'chat',
    variables: variableUsesOf(template),
    schema: responseFormat && responseSchemaOf(responseFormat),
  }
}

/** What would not fit the types of `known`. */
function difference(known: ContentTypes, other: ContentTypes): string | undefined {
  if (known.kind !== other.kind) return `is a ${other.kind} prompt`
  const added = namesMissing(other.variables, known.variables)
  if (added.length > 0) return `has the variables ${added.join(', ')} as well`
  const gone = namesMissing(known.variables, other.variables)
  return gone.length > 0 ? `lacks the variables ${gone.join(', ')}` : undefined
}

const namesMissing = (of: readonly VariableUse[], inside: readonly VariableUse[]) =>
  of.filter(({ name }) => !inside.some((use) => use.name === name)).map(({ name }) => name)

function checkNames(wanted: readonly string[], known: readonly string[], none: string): void {
  const unknown = wanted.find((name) => !known.includes(name))
  if (unknown === undefined) return
  const hint = suggest(unknown, known) || `There is ${known.toSorted().slice(0, 12).join(', ') || 'nothing'}.`
  throw new CliError(`${none} "${unknown}"`, { hint })
}
