import type { EvalRunPrompt } from './eval-run.ts'

/** A prompt that two runs used in different versions, or of which only one says anything. */
export interface PromptChange {
  readonly prompt: string
  /** Version in the older run, or the baseline; absent where it is not said, or was not used. */
  readonly from?: number
  readonly to?: number
  /** Whether the texts differ, or nobody can know: a number may stand for another text after a prompt was made anew. */
  readonly isOtherText: boolean
}

type Prompts = Readonly<Record<string, EvalRunPrompt>>

/** What changed among the prompts from an older run to a newer one, by name. */
export function promptChanges(older: Prompts, newer: Prompts): PromptChange[] {
  const names = [...new Set([...Object.keys(older), ...Object.keys(newer)])].sort()
  return names.flatMap((prompt) => {
    const [was, is] = [older[prompt], newer[prompt]]
    const isSameText = was?.digest !== undefined && was.digest === is?.digest
    if (isSameText && was?.version === is?.version) return []
    const versions = {
      ...(was?.version === undefined ? {} : { from: was.version }),
      ...(is?.version === undefined ? {} : { to: is.version }),
    }
    return [{ prompt, ...versions, isOtherText: !isSameText }]
  })
}

/** `memory v4 -> v5`, `memory v4 -> v5 (same text)`, `memory v2, new here` */
export function describeChange({ prompt, from, to, isOtherText }: PromptChange): string {
  if (from === undefined)
    return `${prompt} ${to === undefined ? 'of an unknown version' : `v${to}`}, not used before`
  if (to === undefined) return `${prompt} v${from}, not used any more`
  const text = from === to ? ' (another text)' : isOtherText ? '' : ' (same text)'
  return `${prompt} v${from} -> v${to}${text}`
}
