import { lengthOf, refuse } from './refuse.ts'

/** MLflow's limits, in characters (code points), as its client and server count them. */
export const LIMIT = {
  text: 100_000,
  tagKey: 250,
  tagValue: 100_000,
  alias: 255,
  name: 1000,
  message: 5000,
} as const

/** @throws {InvalidInput} unless it is a prompt name: letters, digits, `_`, `.`, `-`, and not `.` or `..` */
export function checkName(name: unknown, field = 'name'): asserts name is string {
  const ok = typeof name === 'string' && /^[A-Za-z0-9_.-]+$/.test(name) && name !== '.' && name !== '..'
  if (!ok) refuse(field, name, 'letters, digits, "_", "." and "-" (and not "." or "..")')
  if (name.length > LIMIT.name) refuse(field, name, `at most ${LIMIT.name} characters`)
}

/** @throws {InvalidInput} unless it can be set: not `latest` (any case) and not `v<digits>` of any script, which are reserved */
export function checkAlias(alias: unknown, field = 'alias'): asserts alias is string {
  checkAliasForm(alias, field)
  if (alias.toLowerCase() === 'latest' || /^v\p{Nd}+$/iu.test(alias)) {
    refuse(field, alias, 'anything but "latest" and "v<number>", which are reserved')
  }
}

/** As {@link checkAlias}, and `latest`, which a load may follow. */
export function checkAliasToLoad(alias: unknown, field = 'alias'): asserts alias is string {
  if (alias === 'latest') return
  checkAliasForm(alias, field)
  if (/^v\d+$/i.test(alias))
    refuse(field, alias, `an alias; for a version by number give version: ${alias.slice(1)}`)
  if (alias.toLowerCase() === 'latest') refuse(field, alias, '"latest" in lower case')
}

function checkAliasForm(alias: unknown, field: string): asserts alias is string {
  const ok = typeof alias === 'string' && /^[\p{L}\p{N}_-]+$/u.test(alias)
  if (!ok) refuse(field, alias, 'letters, digits, "_" and "-"')
  if (lengthOf(alias) > LIMIT.alias) refuse(field, alias, `at most ${LIMIT.alias} characters`)
}

/** One alias or a chain of them, as a chain. @throws {InvalidInput} */
export function checkChain(alias: unknown, field = 'alias'): readonly string[] {
  const chain: readonly unknown[] = Array.isArray(alias) ? alias : [alias]
  if (chain.length === 0) refuse(field, alias, 'an alias, or a list of at least one')
  const seen = new Set<string>()
  for (const [i, one] of chain.entries()) {
    checkAliasToLoad(one, Array.isArray(alias) ? `${field}[${i}]` : field)
    if (seen.has(one)) refuse(field, one, 'each alias once in a chain')
    seen.add(one)
  }
  return [...seen]
}

/** @throws {InvalidInput} unless it is a whole number from 1 to 2147483647 */
export function checkVersion(version: unknown, field = 'version'): asserts version is number {
  if (!Number.isInteger(version) || (version as number) < 1 || (version as number) > 2_147_483_647) {
    refuse(field, version, 'a whole number from 1 to 2147483647')
  }
}
