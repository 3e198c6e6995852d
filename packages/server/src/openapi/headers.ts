import type { Parameter } from './document.ts'

const header = (name: string, description: string, schema: Parameter['schema']): Parameter => ({
  name,
  in: 'header',
  required: false,
  description,
  schema,
})

/** Why something is changed, on every MLflow route that changes what an alias says. */
export const INTENT_HEADERS: readonly Parameter[] = [
  header('Promptkeep-Reason', 'Why, for the change log: UTF-8, percent-encoded.', {
    type: 'string',
    examples: ['fixes%20the%20greeting'],
  }),
  header('Promptkeep-Evidence', 'Id of the eval run that judged the version, where a policy asks for one.', {
    type: 'string',
  }),
  header(
    'Promptkeep-Force',
    'Against the policy: needs the role admin and a reason, and is marked in the log.',
    {
      type: 'string',
      enum: ['true'],
    },
  ),
]

/** A route that has it answers 409. */
export const IF_MATCH = header('If-Match', 'The version that the alias must say now, in quotes.', {
  type: 'string',
  examples: ['"3"'],
})
/** Compare-and-set for setting and removing an alias: 409 with the `current` version when the alias is elsewhere. */
export const MOVE_HEADERS: readonly Parameter[] = [
  IF_MATCH,
  header('If-None-Match', '`*`: the alias must be unset.', { type: 'string', enum: ['*'] }),
]
