import { RegistryError } from './errors.ts'
import type { PromptBody } from './prompt.ts'
import { type CompiledTemplate, compileAny } from './template.ts'

/** Freezes a version for good: callers share it. Takes ownership of the objects inside. */
export async function makeBody(version: Omit<PromptBody, 'variables' | 'format'>): Promise<PromptBody> {
  const { name, version: number, template, modelConfig, responseFormat, tags, digest } = version
  const compiled = await compileAny(template)
  return deepFreeze({
    name,
    version: number,
    template,
    ...(modelConfig && { modelConfig }),
    ...(responseFormat && { responseFormat }),
    tags,
    digest,
    variables: compiled.variables,
    format: (values) => formatNamed({ name, version: number }, compiled, values),
  })
}

/** An error names the prompt: a caller formats many. */
function formatNamed(
  { name, version }: Pick<PromptBody, 'name' | 'version'>,
  compiled: CompiledTemplate,
  values?: Readonly<Record<string, unknown>>,
) {
  try {
    return compiled.format(values)
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error
    // Not its cause: it would be printed below with the same words.
    throw new RegistryError(error.code, `prompt "${name}" version ${version}: ${error.message}`)
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
