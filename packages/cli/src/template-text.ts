import type { PromptVersion, Template } from '@promptkeep/client'

/** A template as lines that people read and compare: messages of a chat prompt under their roles. */
export function templateText(template: Template): string {
  if (typeof template === 'string') return template
  return template
    .map(({ role, content, ...rest }) => {
      const text =
        typeof content === 'string' ? content : content == null ? '' : JSON.stringify(content, null, 2)
      const more = Object.keys(rest).length === 0 ? '' : JSON.stringify(rest, null, 2)
      return [`[${role}]`, text, more].filter((part) => part !== '').join('\n')
    })
    .join('\n\n')
}

/** Sorted keys: their order is no difference. */
export function settingsText(settings: object | undefined): string {
  if (settings === undefined) return ''
  return JSON.stringify(settings, (_, value) => sorted(value), 2)
}

const sorted = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value

/** `memory v3` */
export const versionLabel = ({ name, version }: Pick<PromptVersion, 'name' | 'version'>): string =>
  `${name} v${version}`
