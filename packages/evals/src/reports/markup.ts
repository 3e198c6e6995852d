/** Markup that is safe as it stands; only `html` makes it. */
export interface Markup {
  readonly markup: string
}

type Part = string | number | Markup | undefined | readonly (string | number | Markup | undefined)[]

/** Markup from a template: every value in it is escaped, unless it is markup itself. Nothing comes of `undefined`. */
export const html = (texts: TemplateStringsArray, ...values: readonly Part[]): Markup => ({
  markup: texts.reduce((all, text, i) => all + written(values[i - 1]) + text),
})

const written = (value: Part): string => {
  if (value === undefined) return ''
  if (Array.isArray(value))
    return value.map((one: string | number | Markup | undefined) => written(one)).join('')
  if (typeof value === 'object') return (value as Markup).markup
  return escaped(String(value))
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Control characters are shown as what they are: no page is turned around or cut by one. */
const escaped = (text: string): string =>
  text
    .replace(/[&<>"']/g, (char) => ENTITIES[char] as string)
    .replace(
      /[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|\p{Bidi_Control}/gu,
      (char) => `\\u{${char.codePointAt(0)?.toString(16).padStart(4, '0')}}`,
    )
