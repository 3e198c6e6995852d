import { InvalidInput } from '../errors.ts'
import type { Json, ModelConfig } from '../prompt.ts'
import { checkModelConfig } from '../validate.ts'
import { type Adaption, unknown } from './adapter.ts'

/** MLflow's own fields that are settings. Every other key of a model config is a setting of its provider. */
const MLFLOW_SETTINGS = [
  'temperature',
  'max_tokens',
  'top_p',
  'top_k',
  'frequency_penalty',
  'presence_penalty',
  'stop_sequences',
] as const

export interface SettingRules {
  /** A field of the prompt's model config -> the target's name of it. */
  readonly names: Readonly<Record<string, string>>
  /** Parts of a call that its code decides: from a prompt they could replace the conversation itself. */
  readonly owned: readonly string[]
  /** Whether settings of a provider's own go out under their own names. Else each must be in `send`. */
  readonly sendsExtras: boolean
}

export interface Settings {
  /** Under the target's names. */
  readonly named: Readonly<Record<string, Json>>
  /** Under their own. */
  readonly extra: Readonly<Record<string, Json>>
}

/**
 * Model settings under the target's names, as copies that a caller may change. `provider` says whose model it is and
 * `model_name` which one: neither is a setting.
 * @throws {InvalidInput} for a setting that the target does not know, or that is said twice
 */
export function readSettings(adaption: Adaption, { names, owned, sendsExtras }: SettingRules): Settings {
  const config = said(adaption.prompt.modelConfig)
  checkModelConfig(config)
  const named: Record<string, Json> = {}
  const extra: Record<string, Json> = {}
  for (const [field, value] of Object.entries(config)) {
    const at = `modelConfig.${field}`
    if (field === 'provider' || field === 'model_name' || adaption.isOmitted(field)) continue
    const name = Object.hasOwn(names, field) ? names[field] : undefined
    if (name !== undefined) named[name] = structuredClone(value)
    else if (owned.includes(field)) {
      throw new InvalidInput(
        `${at} is decided by the code that makes the call; leave it out by omit: ["${field}"]`,
      )
    } else if (adaption.isSent(field) || (sendsExtras && !isMlflowSetting(field))) {
      extra[field] = structuredClone(value)
    } else throw unknown(adaption, at, field)
  }
  const twice = Object.keys(extra).find((field) => Object.hasOwn(named, field))
  if (twice !== undefined) {
    const [field] = Object.entries(names).find(([, name]) => name === twice) ?? []
    throw new InvalidInput(`modelConfig says ${twice} twice: as ${twice} and as ${field}`)
  }
  return { named, extra }
}

/** Another client may have stored `null` for what it does not say. */
const said = (config: ModelConfig = {}) =>
  Object.fromEntries(
    Object.entries(config).filter(
      (entry): entry is [string, Json] => entry[1] !== undefined && entry[1] !== null,
    ),
  )

const isMlflowSetting = (field: string) => (MLFLOW_SETTINGS as readonly string[]).includes(field)
