/*
 * What the registry says, and what an app has bundled: told apart by every character, so that another prompt's text, half
 * a text or an invented one is seen for what it is.
 */

/** As long as a middling system prompt: 2,000 characters. */
const LENGTH = 2_000

const fill = (start: string) => start + 'Answer in plain words. '.repeat(100).slice(0, LENGTH - start.length)

export const textOf = (name: string, version: number): string => fill(`${name}, version ${version}. `)
export const bundledText = (name: string): string => fill(`${name}, as bundled with the app. `)

/**
 * `new` and `old`: what the registry says now, and what it said before; `fallback`: the bundled text; `empty`: a prompt
 * without a text; `wrong`: a text that nobody wrote for this prompt; `none`: no text, but an error or nothing at all.
 */
export type Served = 'new' | 'old' | 'fallback' | 'empty' | 'wrong' | 'none'

export function judge(name: string, text: unknown, version: number): Served {
  if (text === textOf(name, version)) return 'new'
  if (text === bundledText(name)) return 'fallback'
  if (text === '') return 'empty'
  if (text === null || text === undefined) return 'none'
  for (let older = version - 1; older > 0; older--) if (text === textOf(name, older)) return 'old'
  return 'wrong'
}
