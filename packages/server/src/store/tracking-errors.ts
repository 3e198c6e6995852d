import { InvalidInput, RegistryError } from '@promptkeep/client/protocol'
import { reprDict } from '../python-repr.ts'

/*
 * What experiments and runs refuse, in MLflow's words. Our codes speak of prompts only, so what is missing here
 * goes by the wire's code.
 */

const missing = (message: string) =>
  new RegistryError('INVALID_INPUT', message, { mlflowCode: 'RESOURCE_DOES_NOT_EXIST', status: 404 })

export const experimentNotFound = (id: string) => missing(`No Experiment with id=${id} exists`)

export const experimentNameNotFound = (name: string) =>
  missing(`Could not find experiment with name '${name}'`)

export const runNotFound = (id: string) => missing(`Run with id=${id} not found`)

export const experimentExists = (name: string) =>
  new RegistryError('CONFLICT', `Experiment(name=${name}) already exists.`, {
    mlflowCode: 'RESOURCE_ALREADY_EXISTS',
    status: 400,
  })

/** Deleted things take no writes. */
export const notActive = (what: 'experiment' | 'run', id: string) =>
  new InvalidInput(`The ${what} ${id} must be in the 'active' state. Current state is deleted.`)

export interface ParamChange {
  readonly key: string
  readonly before: string
  readonly after: string
}

/** Params never change. `changes` says which would have; the text is the one for a batch. */
export class ParamChanged extends InvalidInput {
  readonly changes: readonly ParamChange[]

  constructor(runId: string, changes: readonly ParamChange[]) {
    const list = changes.map(({ key, before, after }) =>
      reprDict({ key, old_value: before, new_value: after }),
    )
    super(
      `Changing param values is not allowed. Params were already logged='[${list.join(', ')}]' ` +
        `for run ID='${runId}'.`,
    )
    this.changes = changes
  }
}
