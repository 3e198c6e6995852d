import type { Prompt } from '@promptkeep/client'
import type { PromptTarget } from '../suite-manifest.ts'
import type { TargetCase } from '../target.ts'

/** What a template is filled with for one case. */
export interface Fill {
  readonly values: Readonly<Record<string, unknown>>
  /** The question stands in the prompt itself. */
  readonly hasInput: boolean
}

/**
 * A variable's value is at the place that the suite names for it; else it is what the case's context has under its name; else,
 * if it is called `input`, the user's message (of a conversation the first). What the template does not use is left out: another
 * version of it may.
 * @returns Values as far as the case has them: what is missing, the prompt itself says by name.
 */
export function fillFor(
  { input, turns, context = {} }: TargetCase,
  { variables }: Pick<Prompt, 'variables'>,
  places: PromptTarget['variables'] = {},
): Fill {
  const question = turns?.[0] ?? input ?? ''
  const values: Record<string, unknown> = {}
  let hasInput = false
  for (const name of variables) {
    // `user.name` is read from what is given for `user`, unless something is given for itself.
    const root = name.split('.', 1)[0] ?? name
    const key = [name, root].find((one) => Object.hasOwn(places, one) || Object.hasOwn(context, one))
    const place = key === undefined ? undefined : own(places, key)
    if (place === 'input' || (key === undefined && name === 'input')) {
      values[key ?? name] = question
      hasInput = true
    } else if (key !== undefined) {
      const value = place === undefined ? context[key] : at({ context }, place.split('.'))
      if (value !== undefined) values[key] = value
    }
  }
  return { values, hasInput }
}

const own = <T>(from: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(from, key) ? from[key] : undefined

function at(value: unknown, [step, ...rest]: readonly string[]): unknown {
  if (step === undefined) return value
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
  return at((value as Readonly<Record<string, unknown>>)[step], rest)
}
