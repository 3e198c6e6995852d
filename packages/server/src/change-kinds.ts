import type { ChangeKind } from '@promptkeep/client/protocol'

const kinds: Readonly<Record<ChangeKind, true>> = {
  'version.registered': true,
  'alias.moved': true,
  'alias.removed': true,
  'rollout.changed': true,
  'config.edited': true,
  'message.edited': true,
  'version.deleted': true,
  'prompt.deleted': true,
  'prompt.renamed': true,
}

/** All kinds of changes; the compiler asks for a new one. */
export const CHANGE_KINDS = Object.keys(kinds) as readonly ChangeKind[]
