import type { Template } from '@promptkeep/client'
import { variablesOf } from '@promptkeep/client/templates'
import type { Io } from './io.ts'
import { createStyle, oneLine } from './style.ts'

/** What whoever publishes a text should know before it is served. `before`: the text that the alias says. */
export function templateNotes(template: Template, before: Template | undefined): string[] {
  const notes: string[] = []
  if (before !== undefined) {
    const [now, then] = [variablesOf(template), variablesOf(before)]
    const added = now.filter((name) => !then.includes(name))
    const gone = then.filter((name) => !now.includes(name))
    const parts = [
      added.length > 0 ? `new variable${added.length > 1 ? 's' : ''} ${added.join(', ')}` : '',
      gone.length > 0 ? `gone: ${gone.join(', ')}` : '',
    ].filter((part) => part !== '')
    if (parts.length > 0) notes.push(parts.join('; '))
  }
  return notes
}

/** One line each on standard error. */
export function warn(io: Io, name: string, notes: readonly string[]): void {
  const style = createStyle(io.err, io.env)
  for (const note of notes) io.err.write(`${style.yellow('WARN')} ${oneLine(name)}: ${oneLine(note)}\n`)
}
