import type { TargetCase, TargetResult } from '../target.ts'

/**
 * A case whose world a target cannot prepare is refused rather than run in another one.
 * @param parts - What this target has no way to give.
 * @param who - For the message: `a target over HTTP`.
 */
export function unmetWorld(
  testCase: TargetCase,
  parts: readonly ('context' | 'seed')[],
  who: string,
): TargetResult['error'] {
  const wanted = parts.flatMap((part) => {
    const keys = Object.keys(testCase[part] ?? {})
    return keys.length === 0 ? [] : [`a ${part} (${keys.join(', ')})`]
  })
  if (wanted.length === 0) return undefined
  return {
    kind: 'configuration',
    message: `case ${testCase.id} has ${wanted.join(' and ')}, which ${who} cannot prepare: leave it out, or name a target of this process`,
  }
}
