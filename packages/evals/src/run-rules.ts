import { z } from 'zod'
import type { LoadedSuite } from './load-suite.ts'
import type { Suite } from './suite.ts'

/** What decides about a run, as the run says it: the manifest may have been changed since. */
export type RunRules = Pick<Suite, 'gates' | 'hard' | 'deterministic'>

/** As params: the main gate under keys of its own, for people and MLflow's filters, and all of them as JSON. */
export function rulesParams({ suite, gates }: Pick<LoadedSuite, 'suite' | 'gates'>): Record<string, string> {
  const [{ metric, direction, threshold, margin }] = gates
  const { hard, deterministic } = suite
  return {
    'gate.metric': metric,
    'gate.direction': direction,
    'gate.threshold': String(threshold),
    'gate.margin': String(margin),
    gates: JSON.stringify(gates),
    ...(hard.length > 0 ? { hard: JSON.stringify(hard) } : {}),
    ...(deterministic ? { deterministic: 'true' } : {}),
  }
}

const Gate = z.object({
  metric: z.string(),
  direction: z.enum(['higher', 'lower']),
  threshold: z.number(),
  margin: z.number().gt(0).lt(1),
})
const Gates = z.tuple([Gate], Gate)

/** `undefined`: an older version logged the run, or another program, or there were more gates than a param holds. */
export function readRules(params: Readonly<Record<string, string>>): RunRules | undefined {
  const gates = Gates.safeParse(json(params.gates))
  const hard = z.array(z.string()).safeParse(json(params.hard ?? '[]'))
  if (!gates.success || !hard.success) return undefined
  return { gates: gates.data, hard: hard.data, deterministic: params.deterministic === 'true' }
}

function json(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
