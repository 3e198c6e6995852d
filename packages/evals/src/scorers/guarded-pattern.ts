import { runInThisContext } from 'node:vm'
import { EvalFailure } from '../errors.ts'

/** Longest time for one pattern on one text. Patterns that are well written need microseconds. */
const LONGEST_MS = 1000
/** Without a repetition there is nothing to go back over. */
const REPEATS = /[*+?{]/

/**
 * A regular expression of a suite's author over a text of a model's: it may be one that takes years. It has a second, after
 * which it is a mistake in the suite and no verdict about the answer.
 */
export function guardedPattern(source: string, flags: string): { test(text: string): boolean } {
  const found = new RegExp(source, flags)
  const test = (text: string): boolean => {
    // Only a script can be stopped while a match is under way, so the match is one.
    const [pattern, flagged, subject] = [source, flags, text].map((part) => JSON.stringify(part))
    const script = `new RegExp(${pattern}, ${flagged}).test(${subject})`
    try {
      return runInThisContext(script, { timeout: LONGEST_MS }) === true
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'))
        throw error
      throw new EvalFailure(
        'CONFIGURATION',
        `the pattern /${source}/ takes more than ${LONGEST_MS / 1000} s on this answer: write it without a repetition inside another one`,
      )
    }
  }
  return { test: REPEATS.test(source) ? test : (text) => found.test(text) }
}
