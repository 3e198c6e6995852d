import { hasCode, RegistryError } from './errors.ts'

/** What is looked up: aliases in order, or one version. */
export type Wanted = { readonly chain: readonly string[] } | { readonly version: number }

/** What of a prompt is asked for. */
export type Part = { readonly alias: string } | { readonly version: number }

/** One question to the registry. */
export interface Key {
  readonly text: string
  readonly name: string
  readonly alias?: string
  readonly version?: number
}

/** What the texts of all keys of a prompt begin with, and of no other: a name has no space. */
export const prefixOf = (scope: string, name: string): string => `${scope} ${name} `

/** @param scope - Of the transport. The kind is part of the key: alias "3" and version 3 never meet. */
export const keyOf = (scope: string, name: string, part: Part): Key => ({
  text: `${prefixOf(scope, name)}${'alias' in part ? `@${part.alias}` : `/${part.version}`}`,
  name,
  ...part,
})

/** What `keyOf` wrote. */
export function readKey(scope: string, text: string): Key {
  const [name = '', part = ''] = text.slice(scope.length + 1).split(' ')
  const value = part.slice(1)
  return { text, name, ...(part[0] === '@' ? { alias: value } : { version: Number(value) }) }
}

/** Whether this answer leads on to the next alias: no such alias, or one behind which there is no text. */
export const leadsOn = ({ alias }: Key, error: unknown): boolean =>
  alias !== undefined && hasCode(error, 'ALIAS_NOT_FOUND', 'VERSION_NOT_FOUND')

/** An alias that is there, and leads to nothing. */
export const isEmptyAlias = (error: Error): boolean => hasCode(error, 'VERSION_NOT_FOUND')

/** No alias of a chain answered. @param empty - One that is there, and leads to nothing: the likelier cause. */
export function noneOf(keys: readonly Key[], address: string, empty: Error | undefined): Error {
  if (empty) return empty
  const none = keys.length === 1 ? 'no alias' : 'none of the aliases'
  const aliases = keys.map(({ alias }) => `"${alias}"`).join(', ')
  return new RegistryError(
    'ALIAS_NOT_FOUND',
    `prompt "${keys[0]?.name}" has ${none} ${aliases} at ${address}`,
  )
}
