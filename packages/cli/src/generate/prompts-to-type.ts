import type { JsonObject, PromptInfo, Registry, Template } from '@promptkeep/client'
import { fileDigestOf, type PromptFile } from '@promptkeep/client/files'
import { responseSchemaOf, type VariableUse, variableUsesOf } from '@promptkeep/client/protocol'
import { CliError } from '../cli-error.ts'
import { listAll } from '../find-version.ts'
import { suggest } from '../suggest.ts'
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

/** @param names - Only these; all when empty. @throws {CliError} for one that has no file */
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
  const prompts = chosen.map(async (file) => ({
    name: file.name,
    description: file.description,
    aliases,
    ...contentTypes(file),
    digest: await fileDigestOf(file),
  }))
  return { prompts: await Promise.all(prompts), notes: [] }
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
    for (const read of batch) {
      if (!read) continue
      prompts.push(read.prompt)
      notes.push(...read.notes.map((note) => ({ name: read.prompt.name, note })))
    }
  }
  return { prompts, notes }
}

const aliasOf = ({ aliases }: PromptInfo, chain: readonly string[]) =>
  chain.find((alias) => Object.hasOwn(aliases, alias))

async function readPrompt(
  registry: Registry,
  { name, description, aliases }: PromptInfo,
  alias: string | undefined,
) {
  if (alias === undefined) return undefined
  const said = await registry.load(name, { alias })
  const { kind, variables, schema } = contentTypes(said)
  const prompt: PromptToType = {
    name,
    description: description === '' ? undefined : description,
    kind,
    variables,
    schema,
    aliases: Object.keys(aliases),
    digest: await fileDigestOf(said),
  }
  const others = Object.keys(aliases).filter((other) => aliases[other] !== said.version)
  const notes = await Promise.all(
    others.sort().map(async (other) => {
      const differs = difference(prompt, contentTypes(await registry.load(name, { alias: other })))
      return differs && `${other} (v${aliases[other]}) ${differs}, and the types are those of ${alias}`
    }),
  )
  return { prompt, notes: notes.filter((note) => note !== undefined) }
}

interface ContentTypes extends Pick<TypedPrompt, 'kind' | 'variables' | 'schema'> {}

function contentTypes(content: {
  readonly template: Template
  readonly responseFormat?: JsonObject
}): ContentTypes {
  const { template, responseFormat } = content
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
