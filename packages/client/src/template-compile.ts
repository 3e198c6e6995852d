import { checkContents, checkMessages, placeholderName } from './chat-message.ts'
import { InvalidInput, isRegistryError } from './errors.ts'
import { parseJinja } from './jinja-parse.ts'
import { renderNodes } from './jinja-render.ts'
import { usesOfNodes } from './jinja-uses.ts'
import type { ChatMessage, Template } from './prompt.ts'
import {
  assemble,
  type CompiledTemplate,
  type CompiledText,
  compileText,
  type Extras,
  lookUp,
} from './template.ts'
import { textsOf, usesJinja } from './template-texts.ts'

/**
 * Any template: Jinja and message placeholders too.
 * @throws {InvalidInput} for one that cannot be rendered
 */
export function compileFully(template: Template): CompiledTemplate {
  return assemble(template, usesJinja(template) ? compileJinja : compileText, splice)
}

/** As {@link compileFully}, but what cannot be rendered is refused when it is rendered. */
export function compileLeniently(template: Template): CompiledTemplate {
  try {
    return compileFully(template)
  } catch (error) {
    if (!isRegistryError(error)) throw error
    const variables = [...new Set(textsOf(template).flatMap(({ text }) => compileText(text).variables))]
    return {
      variables,
      format() {
        throw new InvalidInput(error.message)
      },
    }
  }
}

function compileJinja(text: string, field: string): CompiledText {
  const nodes = parseJinja(text, field)
  const paths = usesOfNodes(nodes).map(({ path }) => path)
  return {
    variables: paths.filter((path) => !path.includes('[]')),
    keys: paths.map((path) => path.split(/[.[]/, 1)[0] as string),
    render: (values, missing) => renderNodes(nodes, values, missing),
  }
}

/** The messages that a placeholder stands for: copies, never filled. */
const splice: Extras['splice'] = ({ content }, at) => {
  const name = placeholderName(content)
  if (name === undefined)
    throw new InvalidInput(`messages[${at}].content must be one variable, as {{ history }}`)
  return {
    variables: [name],
    keys: compileText(`{{${name}}}`).keys,
    render: () => '',
    messages: (values, missing) => {
      const given = lookUp(values, name)
      if (given === undefined || given === null) {
        missing.push(name)
        return []
      }
      if (!Array.isArray(given))
        throw new InvalidInput(
          `variable "${name}" must be a list of messages { role, content }; got a value of type ${typeof given}`,
        )
      checkMessages(given, `variable "${name}"`)
      checkContents(given, `variable "${name}"`)
      return structuredClone(given) as ChatMessage[]
    },
  }
}
