/* eslint-disable */
// biome-ignore-all format: generated
// biome-ignore-all lint: generated
// Made by promptkeep generate; do not edit. Make it anew with:
//   npx promptkeep generate --from examples/typed/prompts --out examples/typed/prompts.gen.ts

import type { TextValue } from '@promptkeep/client'

/** The prompts that this app may load: `createRegistry<Prompts>()`. */
export type Prompts = {
  /** How a person is greeted */
  greeting: {
    kind: 'text'
    aliases: 'production'
    variables: {
      readonly who: TextValue
    }
    response: unknown
  }
  /** Where a message belongs */
  triage: {
    kind: 'text'
    aliases: 'production'
    variables: {
      readonly message: TextValue
    }
    response: TriageResponse
  }
}

export type PromptName = keyof Prompts

/** The values that `format` of a prompt takes. */
export type PromptVariables<Name extends PromptName> = Prompts[Name]['variables']

/** What the response format of a prompt describes. */
export type PromptResponse<Name extends PromptName> = Prompts[Name]['response']

export type TriageResponse = {
  readonly area: 'billing' | 'other'
  readonly isUrgent: boolean
}
