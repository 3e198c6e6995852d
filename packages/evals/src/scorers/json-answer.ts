import type { Json } from '@promptkeep/client'

/** The JSON of an answer: the whole of it, or what its one fence holds. `undefined`: it is none. */
export function jsonOf(answer: string): { readonly value: Json } | undefined {
  const text = answer.trim()
  const fenced = /^```(?:json)?[^\S\n]*\n([\s\S]*?)\n?```$/i.exec(text)
  try {
    return { value: JSON.parse(fenced?.[1] ?? text) as Json }
  } catch {
    return undefined
  }
}

/** What stands at a path of object keys and list places, such as `items.0.name`. */
export function valueAt(value: unknown, path: string): unknown {
  let at = value
  for (const step of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
    at = (at as Record<string, unknown>)[step]
  }
  return at
}

/** Equal as JSON: the order of keys says nothing, the order of lists does. */
export function isSameJson(one: unknown, other: unknown): boolean {
  if (Object.is(one, other) || one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const keys = Object.keys(one)
  return (
    keys.length === Object.keys(other).length &&
    keys.every(
      (key) =>
        Object.hasOwn(other, key) &&
        isSameJson((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]),
    )
  )
}

/** A value as a person reads it in a reason. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
