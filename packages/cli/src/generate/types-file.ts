import type { JsonObject } from '@promptkeep/client'
import type { VariableUse } from '@promptkeep/client/protocol'
import { responseTypes } from './response-types.ts'
import { docComment, propertyKey, quote } from './source-text.ts'
import { isUsed, variablesType } from './variable-types.ts'

/** What the types of one prompt are made from. */
export interface TypedPrompt {
  readonly name: string
  readonly description?: string | undefined
  readonly kind: 'text' | 'chat'
  readonly aliases: readonly string[]
  readonly variables: readonly VariableUse[]
  /** The JSON Schema of its response format. */
  readonly schema?: JsonObject | undefined
}

/** How every file of ours begins: what begins otherwise is not overwritten. */
export const FIRST_LINE = '// Made by promptkeep generate; do not edit. Make it anew with:'

const HELPERS = `export type PromptName = keyof Prompts

/** The values that \`format\` of a prompt takes. */
export type PromptVariables<Name extends PromptName> = Prompts[Name]['variables']

/** What the response format of a prompt describes. */
export type PromptResponse<Name extends PromptName> = Prompts[Name]['response']
`

/** Names that the file has itself, or takes from the client. */
const OWN = ['Prompts', 'PromptName', 'PromptVariables', 'PromptResponse']
const IMPORTED = ['ChatMessage', 'NoVariables', 'TextValue']

/**
 * The whole file: the same prompts give the same bytes, in whatever order they come.
 * @param command - What makes it anew, for its header.
 */
export function typesFile(prompts: readonly TypedPrompt[], command: string): string {
  const sorted = prompts.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const responses = responseTypes([...OWN, ...IMPORTED])
  const entries = sorted.map((prompt) =>
    promptEntry(prompt, prompt.schema && responses.add(prompt.name, prompt.schema)),
  )
  const catalog = entries.length === 0 ? 'Readonly<Record<never, never>>' : `{\n${entries.join('')}}`
  return [
    header(command),
    importsOf(prompts),
    `/** The prompts that this app may load: \`createRegistry<Prompts>()\`. */\nexport type Prompts = ${catalog}\n`,
    HELPERS,
    ...responses.texts(),
  ]
    .filter((part) => part !== '')
    .join('\n')
}

/** Linters and formatters have nothing to say about a file that is written anew, and compared byte by byte. */
const header = (command: string) => `/* eslint-disable */
// biome-ignore-all format: generated
// biome-ignore-all lint: generated
${FIRST_LINE}
//   ${command}
`

function importsOf(prompts: readonly TypedPrompt[]): string {
  const uses = prompts.flatMap(({ variables }) => variables)
  const imports = {
    ChatMessage: isUsed(uses, 'messages'),
    NoVariables: prompts.some(({ variables }) => variables.length === 0),
    TextValue: isUsed(uses, 'value'),
  }
  const names = Object.entries(imports).flatMap(([name, used]) => (used ? [name] : []))
  return names.length === 0 ? '' : `import type { ${names.join(', ')} } from '@promptkeep/client'\n`
}

function promptEntry(
  { name, description, kind, aliases, variables }: TypedPrompt,
  response = 'unknown',
): string {
  const names = [...new Set(aliases)].sort().map(quote)
  return [
    docComment(description, '  '),
    `  ${propertyKey(name)}: {\n`,
    `    kind: ${quote(kind)}\n`,
    `    aliases: ${names.length === 0 ? 'never' : names.join(' | ')}\n`,
    `    variables: ${variablesType(variables, '    ')}\n`,
    `    response: ${response}\n`,
    '  }\n',
  ].join('')
}
