import { isDeepStrictEqual } from 'node:util'
import type { ModelSettings } from '@openai/agents'
import type { Json, ModelConfig, Prompt } from '@promptkeep/client'

/** A setting that was asked for and is not sent, and why. */
export interface RefusedSetting {
  readonly from: Layer
  readonly setting: string
  readonly value: Json
  readonly reason: string
}

/** Where a setting came from; an earlier layer wins, key by key. */
const LAYERS = ['request', 'prompt', 'environment'] as const
type Layer = (typeof LAYERS)[number]

export interface ModelSettingsInput {
  /** What this one request asked for. */
  readonly request?: ModelConfig | undefined
  /** Model config of the agent's first prompt. */
  readonly prompt?: ModelConfig | undefined
  /** What the process was started with; its model is always allowed. */
  readonly environment: ModelConfig & { readonly model_name: string }
  /** Models that a request or a prompt may name. */
  readonly allowedModels: readonly string[]
}

export interface ResolvedModel {
  readonly model: string
  readonly settings: ModelSettings
  readonly refused: readonly RefusedSetting[]
}

/** Settings that the SDK has a field for. Everything else goes out under its own name. */
const NUMBERS = {
  temperature: 'temperature',
  max_tokens: 'maxTokens',
  top_p: 'topP',
  frequency_penalty: 'frequencyPenalty',
  presence_penalty: 'presencePenalty',
} as const

/** Parts of a request that the code decides; as an extra setting they would replace the conversation itself. */
const OWNED = [
  'model',
  'messages',
  'tools',
  'tool_choice',
  'functions',
  'function_call',
  'stream',
  'stream_options',
  'response_format',
  'n',
]

/**
 * The model and settings of one agent: request over prompt over environment, each key on its own. `top_k`, stop
 * sequences and keys that MLflow's model config does not know are the provider's own and go out as they are.
 */
export function resolveModelSettings(input: ModelSettingsInput): ResolvedModel {
  const refused: RefusedSetting[] = []
  const merged = new Map<string, Json>()
  for (const from of LAYERS) {
    for (const [setting, value] of Object.entries(input[from] ?? {})) {
      if (value === undefined || value === null) continue
      const reason = reasonToRefuse(setting, value, input)
      if (reason) refused.push({ from, setting, value, reason })
      else if (!merged.has(setting)) merged.set(setting, value)
    }
  }
  const settings: ModelSettings = {}
  const extras: Record<string, Json> = {}
  for (const [setting, value] of merged) {
    if (setting === 'model_name' || setting === 'provider') continue
    if (isNumberSetting(setting)) settings[NUMBERS[setting]] = value as number
    else extras[setting === 'stop_sequences' ? 'stop' : setting] = value
  }
  if (Object.keys(extras).length > 0) settings.providerData = extras
  return { model: merged.get('model_name') as string, settings, refused }
}

/**
 * The first prompt of an agent carries its model config; a later part cannot add to it.
 * @returns The names of later parts whose own, differing config is not used.
 */
export function ignoredConfigs(prompts: readonly Prompt[]): string[] {
  const [first, ...later] = prompts
  const used = first?.modelConfig ?? {}
  return later
    .filter(({ modelConfig }) => modelConfig && !isDeepStrictEqual(modelConfig, used))
    .map(({ name }) => name)
}

function reasonToRefuse(setting: string, value: Json, input: ModelSettingsInput): string | undefined {
  if (setting === 'model_name') {
    const allowed = [...new Set([input.environment.model_name, ...input.allowedModels])]
    return allowed.includes(value as string) ? undefined : `must be one of ${allowed.join(', ')}`
  }
  if (isNumberSetting(setting) && typeof value !== 'number') return 'must be a number'
  if (OWNED.includes(setting)) return 'is decided by the application'
  return undefined
}

const isNumberSetting = (setting: string): setting is keyof typeof NUMBERS => Object.hasOwn(NUMBERS, setting)
