/** `alias "production" of "memory" is at v7`, as a lost compare-and-set says it. */
export function movedAway(alias: string, name: string, conflict: unknown): string {
  const current = conflict instanceof Error && 'current' in conflict ? conflict.current : undefined
  const at = typeof current === 'number' ? `at v${current}` : current === null ? 'unset' : 'elsewhere'
  return `alias "${alias}" of "${name}" is ${at}`
}
