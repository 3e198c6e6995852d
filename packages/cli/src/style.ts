import type { Output } from './io.ts'

export type Style = Readonly<
  Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', (text: string) => string>
>

/** Colours on a terminal, unless `NO_COLOR` is set (to anything) or the terminal is dumb. */
export function createStyle(output: Output, env: Readonly<Record<string, string | undefined>>): Style {
  const on = output.isTty && !env.NO_COLOR && env.TERM !== 'dumb'
  const code = (from: number, to: number) => (text: string) =>
    on ? `\u001B[${from}m${text}\u001B[${to}m` : text
  return {
    bold: code(1, 22),
    dim: code(2, 22),
    red: code(31, 39),
    green: code(32, 39),
    yellow: code(33, 39),
    cyan: code(36, 39),
  }
}

/**
 * Text of a registry for a terminal: control characters are shown, not obeyed (a prompt could otherwise rewrite the
 * screen). Line breaks and tabs stay.
 */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (char) =>
    char === '\n' || char === '\t' ? char : `\\u{${char.codePointAt(0)?.toString(16).padStart(4, '0')}}`,
  )

/** The same on one line. */
export const oneLine = (text: string): string => printable(text.replace(/\s+/g, ' ').trim())

/** Columns as wide as their widest cell; cells may hold colours. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell))
  return rows
    .map((row) => {
      const cells = row.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - widthOf(cell)))
      return `${cells.join('  ').trimEnd()}\n`
    })
    .join('')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what a colour is made of
const widthOf = (cell: string) => [...cell.replace(/\u001B\[\d+m/g, '')].length

/** Milliseconds since the epoch as `2026-11-22 18:04 UTC`: the same on every machine. */
export const when = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** As JSON output says a time. */
export const isoTime = (at: number): string => new Date(at).toISOString()

/** `1.4 MB` */
export function bytes(count: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const step = count < 1000 ? 0 : Math.min(Math.floor(Math.log10(count) / 3), units.length - 1)
  return `${step === 0 ? count : (count / 1000 ** step).toFixed(1)} ${units[step]}`
}
