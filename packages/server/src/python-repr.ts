/**
 * A value as Python's `repr` prints it: MLflow's messages are made with it, and ours repeat them.
 * @module
 */

/** Single quotes, unless the text holds one and no double quote. */
export function repr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const body = text.replace(/[\\'"\p{Cc}]/gu, (char) => {
    if (char === '\\' || char === quote) return `\\${char}`
    if (char === "'" || char === '"') return char
    return CONTROL[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return quote + body + quote
}

const CONTROL: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

export const reprList = (texts: readonly string[]): string => `[${texts.map(repr).join(', ')}]`

/** Python prints sets in random order, so the order of this text is no part of a contract. */
export const reprSet = (texts: readonly string[]): string => `{${texts.map(repr).join(', ')}}`

export const reprDict = (fields: Readonly<Record<string, string>>): string =>
  `{${Object.entries(fields)
    .map(([key, value]) => `${repr(key)}: ${repr(value)}`)
    .join(', ')}}`

/** A whole number too shows that it is a float: `1.0`. */
export function reprFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value)
}
