import type { AddOutcome, MemoryLimits } from '../db/memories.ts'

/** Characters of one memory. */
export const MAX_CONTENT = 2000
/** Below it nothing is kept; up to {@link SURE} the user is asked first. */
const UNSURE = 0.5
const SURE = 0.7

/** Why a statement is not saved, checked before the store is asked; `undefined` when it may be. */
export function reasonToRefuse(content: string, confidence: number, importance: number) {
  const refused = (reason: string, message: string) => ({ reason, message })
  if (content === '') return refused('empty', 'content is empty; give one statement about the user.')
  if (content.length > MAX_CONTENT) {
    return refused('too_long', `content has ${content.length} characters; at most ${MAX_CONTENT} are kept.`)
  }
  if (/[\0\p{Surrogate}]/u.test(content)) {
    return refused('not_text', 'content holds characters that cannot be stored.')
  }
  if (!(confidence >= 0 && confidence <= 1))
    return refused('bad_confidence', `confidence is ${confidence}; it goes from 0 to 1.`)
  if (!(importance >= 0 && importance <= 1))
    return refused('bad_importance', `importance is ${importance}; it goes from 0 to 1.`)
  if (confidence < UNSURE)
    return refused('low_confidence', `confidence ${confidence} is too low to keep; nothing was saved.`)
  if (confidence < SURE) {
    return refused(
      'confirm_with_user',
      'Not sure enough: ask the user whether it is true, then save it with a higher confidence.',
    )
  }
  return undefined
}

/** What the save tool says of the store's outcome. */
export function answerTo(saved: AddOutcome, content: string, type: string, limits: MemoryLimits) {
  switch (saved.outcome) {
    case 'stored':
      return { success: true, action: 'stored', id: saved.id, content, type }
    case 'duplicate':
      return { success: true, action: 'duplicate', message: 'This is remembered already; nothing was added.' }
    case 'limited': {
      const limit =
        saved.by === 'perConversation'
          ? `${limits.perConversation} memories a conversation`
          : `${limits.perHour} memories an hour`
      return {
        success: false,
        action: 'refused',
        reason: 'limit',
        message: `The limit of ${limit} is reached; nothing was saved.`,
      }
    }
    case 'not_shown':
    case 'gone':
      return {
        ...{ success: false, action: 'refused', reason: 'bad_replaces_id' },
        message: `replaces_id is no current memory that was shown in this conversation; nothing was saved.`,
      }
  }
}

/** What the delete tool says of the store's outcome. */
export function deletion(outcome: 'deleted' | 'gone' | 'not_shown', id: string) {
  if (outcome === 'deleted') return { success: true, action: 'deleted', id }
  if (outcome === 'gone')
    return { success: true, action: 'not_found', message: 'This memory is deleted or replaced already.' }
  return {
    ...{ success: false, action: 'refused', reason: 'not_shown' },
    message:
      'Only a memory that was shown as a candidate in this conversation can be deleted. Call without an id first.',
  }
}
