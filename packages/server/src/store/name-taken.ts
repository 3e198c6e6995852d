import { RegistryError } from '@promptkeep/client/protocol'

const exists = (message: string) =>
  new RegistryError('CONFLICT', message, { status: 400, mlflowCode: 'RESOURCE_ALREADY_EXISTS' })

/** Prompts and plain models share one name space. The texts are MLflow's own. */
export function nameTaken(name: string, wanted: ModelKind, existing: ModelKind): RegistryError {
  if (wanted === existing)
    return exists(`${wanted === 'prompt' ? 'Prompt' : 'Registered Model'} (name=${name}) already exists.`)
  return exists(
    `Tried to create a ${wanted} with name '${name}', but the name is already taken by a ${existing}. ` +
      'MLflow does not allow creating a model and a prompt with the same name.',
  )
}

/** MLflow says the kind of a model here even for a prompt. */
export const newNameTaken = (newName: string) => exists(`Registered Model (name=${newName}) already exists.`)

export type ModelKind = 'prompt' | 'registered model'

/** @param isPrompt - The tag of that name, if there is one; MLflow's server reads it in any case. */
export const kindOf = (isPrompt: string | undefined): ModelKind =>
  isPrompt?.toLowerCase() === 'true' ? 'prompt' : 'registered model'
