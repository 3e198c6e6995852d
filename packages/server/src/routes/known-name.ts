import { checkText, hasCode, LIMIT, refuse } from '@promptkeep/client/protocol'
import { modelName } from './mlflow/rules.ts'

/**
 * A prompt name as MLflow's routes take it. Our own routes make no such names, but what has one can be asked for and rolled
 * back like every other. @throws {InvalidInput}
 */
export function checkKnownName(name: string, field = 'name'): void {
  checkText(name, field)
  try {
    modelName(name, field)
  } catch (error) {
    if (!hasCode(error, 'INVALID_INPUT')) throw error
    refuse(
      field,
      name,
      `a text without "/" and ":" that is not blank, not "." and starts not with "..", of at most ${LIMIT.name} characters`,
    )
  }
}
