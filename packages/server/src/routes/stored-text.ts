import { checkNote, InvalidInput } from '@promptkeep/client/protocol'
import { holdsToken } from '../auth/token.ts'

/**
 * Refuses a text that holds a whole token: it would be kept for ever, and shown to all who may read. The token itself
 * is not repeated. @throws {InvalidInput}
 */
export function requireNoToken(field: string, text: string): void {
  if (holdsToken(text))
    throw new InvalidInput(
      `${field} holds a token (pk_…), which everybody who may read would see, so nothing was stored. ` +
        'Others may have seen it already: revoke it (promptkeep token revoke), and make another.',
    )
}

/** Reasons, messages and descriptions of our own routes, by field; absent ones pass. @throws {InvalidInput} */
export function checkNotes(notes: Readonly<Record<string, string | undefined>>): void {
  for (const [field, note] of Object.entries(notes)) {
    if (note === undefined) continue
    requireNoToken(field, note) // first: other refusals repeat what was given
    checkNote(note, field)
  }
}
