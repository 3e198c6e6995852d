/* eslint-disable */
// biome-ignore-all format: generated
// biome-ignore-all lint: generated
// Made by promptkeep generate; do not edit. Make it anew with:
//   npx promptkeep generate --from apps/assistant/prompts --out apps/assistant/src/prompts.gen.ts

import type { NoVariables } from '@promptkeep/client'

/** The prompts that this app may load: `createRegistry<Prompts>()`. */
export type Prompts = {
  /** How forward the assistant may be, and what it says it knows */
  calibration: {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** What becomes part of the knowledge graph, and how it is asked */
  'knowledge-graph': {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** How memories are searched, and how far they are trusted */
  memory: {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** What is saved, how it is worded, how it is corrected and forgotten */
  'memory-write': {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** What is worth a notification that outlasts the conversation */
  notification: {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** Which habits are worth noticing, and how they are recorded */
  observation: {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** The first meetings, until the assistant knows whom it works for */
  onboarding: {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** Who the assistant is, how it talks, and when it asks a specialist */
  'orchestrator-base': {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** How the assistant receives someone it already knows */
  'proactive-greeting': {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** How reminders and recurring tasks are turned into schedules */
  schedule: {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
  /** How weather is looked up and told */
  weather: {
    kind: 'text'
    aliases: 'production'
    variables: NoVariables
    response: unknown
  }
}

export type PromptName = keyof Prompts

/** The values that `format` of a prompt takes. */
export type PromptVariables<Name extends PromptName> = Prompts[Name]['variables']

/** What the response format of a prompt describes. */
export type PromptResponse<Name extends PromptName> = Prompts[Name]['response']
