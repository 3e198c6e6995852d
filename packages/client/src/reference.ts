import { checkAliasToLoad, checkName, checkVersion } from './check-names.ts'
import { InvalidInput } from './errors.ts'

/** Which prompt is meant; neither alias nor version: the alias that the registry follows by default. */
export interface Reference {
  readonly name: string
  readonly alias?: string
  readonly version?: number
}

const FORMS = 'prompts:/name@alias, prompts:/name/3, or the short forms name, name@alias, name/3'

/**
 * Reads `prompts:/name@alias`, `prompts:/name/3` and the short forms `name`, `name@alias`, `name/3`.
 * A bare name means the registry's own alias, not the newest version as in MLflow's Python client.
 * @throws {InvalidInput}
 */
export function parseReference(text: unknown): Reference {
  if (typeof text !== 'string') throw new InvalidInput(`name must be a text: ${FORMS}; got ${typeof text}`)
  const body = text.startsWith('prompts:/') ? text.slice('prompts:/'.length) : text
  const at = body.search(/[@/]/)
  if (at < 0) {
    checkName(body)
    return { name: body }
  }
  const name = body.slice(0, at)
  const rest = body.slice(at + 1)
  checkName(name, `name in the reference "${text.slice(0, 80)}"`)
  if (body[at] === '@') {
    checkAliasToLoad(rest, `alias in the reference "${text.slice(0, 80)}"`)
    return { name, alias: rest }
  }
  if (!/^\d+$/.test(rest)) {
    throw new InvalidInput(
      `reference "${text.slice(0, 80)}" has no version number after "/": allowed are ${FORMS}`,
    )
  }
  const version = Number(rest)
  checkVersion(version, `version in the reference "${text.slice(0, 80)}"`)
  return { name, version }
}

/** The full form, which MLflow's Python client reads as well when it names an alias or a version. */
export function formatReference({ name, alias, version }: Reference): string {
  if (version !== undefined) return `prompts:/${name}/${version}`
  return alias === undefined ? name : `prompts:/${name}@${alias}`
}
