/** Kinds of rows of the change log. */
export const CHANGE_KINDS = [
  'version.registered',
  'alias.moved',
  'alias.removed',
  'rollout.changed',
  'config.edited',
  'message.edited',
  'version.deleted',
  'prompt.deleted',
  'prompt.renamed',
] as const

/** A *move* is a change of an alias. */
export type ChangeKind = (typeof CHANGE_KINDS)[number]
