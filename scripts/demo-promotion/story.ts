import { createRegistry } from '@promptkeep/client'
import { createPromoteDeps } from '@promptkeep/evals'
import { promptkeep, type Step, show } from './commands.ts'
import { freePort } from './mlflow.ts'
import { VERSIONS } from './prompts.ts'

/** Where the story takes place, and as whom. */
export interface Stage {
  readonly trackingUri: string
  /** The prompt: on a server that others use, one that is nobody's. */
  readonly prompt: string
  readonly isStock: boolean
  /** By role; empty where there are none. */
  readonly tokens: Readonly<Partial<Record<'evaluator' | 'promoter' | 'admin', string>>>
}

/** The steps, in their order. @returns whether all came out as told */
export async function tell(stage: Stage, print: (text: string) => void): Promise<boolean> {
  const { trackingUri, prompt, tokens, isStock } = stage
  const registry = createRegistry({
    trackingUri,
    env: tokens.admin === undefined ? {} : { MLFLOW_TRACKING_TOKEN: tokens.admin },
    strict: true,
    cacheTtlSeconds: 0,
    timeoutMs: 10_000,
  })
  const env = {
    MLFLOW_TRACKING_URI: trackingUri,
    DEMO_PROMPT: prompt,
    MLFLOW_EXPERIMENT_NAME: `promptkeep-demo-${prompt}`,
    ...(tokens.evaluator && { PROMPTKEEP_EVALUATOR_TOKEN: tokens.evaluator }),
    ...(tokens.promoter && { PROMPTKEEP_PROMOTER_TOKEN: tokens.promoter }),
  }
  const nowhere = `http://127.0.0.1:${await freePort()}`
  const promote = ['promote', prompt, '--evals', 'suites']
  const steps: (Step & { readonly candidate?: number })[] = [
    {
      title:
        '1. A good candidate (v2: a warmer tone) is promoted. Its runs are made first, its and the baseline’s.',
      candidate: 2,
      args: [...promote, '--reason', 'warmer'],
      env,
      code: 0,
      says: /PROMOTED: production is at v2 now/,
    },
    {
      title: '2. A worse one (v3 forgot about refunds) is refused, with the cases that got worse.',
      candidate: 3,
      args: promote,
      env,
      code: 1,
      says: /REFUSED[\s\S]*worse: refund-1, refund-2/,
    },
    {
      title: '3. One with too few cases (v4, by a suite of six) is inconclusive: that is no pass.',
      candidate: 4,
      args: [...promote, '--suite', 'greeting'],
      env,
      code: 2,
      says: /INCONCLUSIVE[\s\S]*more cases would do/,
    },
    {
      title: '4. An outage is no pass either.',
      args: promote,
      env: { ...env, MLFLOW_TRACKING_URI: nowhere },
      code: 2,
      says: /UNDECIDED[\s\S]*cannot be reached/,
    },
    {
      title: `5. By force${isStock ? '' : ', which takes an admin here'}: it moves, and is recorded as forced.`,
      candidate: 3,
      args: [...promote, '--force', '--reason', 'legal wants refunds out today'],
      env: { ...env, ...(tokens.admin && { PROMPTKEEP_PROMOTER_TOKEN: tokens.admin }) },
      code: 0,
      says: /FORCED: production is at v3 now/,
    },
  ]
  try {
    for (const template of VERSIONS) await registry.register({ name: prompt, template })
    const start = isStock ? {} : { force: true, reason: 'the start' }
    await registry.setAlias(prompt, 'production', 1, start)
    for (const { candidate, ...step } of steps) {
      if (candidate !== undefined) await registry.setAlias(prompt, 'experiment', candidate)
      if (!(await show(step, print))) return false
    }
  } finally {
    await registry.close()
  }
  const reader = { ...env, ...(tokens.admin && { MLFLOW_TRACKING_TOKEN: tokens.admin }) }
  const { code, out, err } = await promptkeep(reader, ['history', prompt])
  print(
    isStock
      ? '\nWhat is left of it: this is stock MLflow, which keeps no history. The last move is a tag of the prompt, and that is all.\n'
      : '\nWhat is left of it: the change log.\n',
  )
  print(`${out || err}`)
  print(
    '\nNot moved, so not in it: what was refused, and what nobody could tell. Their runs in MLflow say so.\n',
  )
  const verdicts = await verdictsOf(stage, env)
  print(verdicts.map((line) => `  ${line}\n`).join(''))
  const isKept = isStock ? /forced, without evidence/ : /forced, without evidence[\s\S]*\(run [0-9a-f]{8}\)/
  const isWhole = ['v2  pass', 'v3  fail', 'v4  inconclusive'].every((text) =>
    verdicts.some((line) => line.includes(text)),
  )
  return code === 0 && isKept.test(out) && isWhole
}

/** A line for each run that was judged, the oldest first. */
async function verdictsOf(
  { trackingUri, prompt }: Stage,
  env: Readonly<Record<string, string>>,
): Promise<string[]> {
  const deps = createPromoteDeps({ trackingUri, env })
  try {
    const { tracking, experiment } = deps.evals
    const { runs } = await tracking.findRuns({ experiment })
    return [...runs].reverse().flatMap(({ id, params, tags }) => {
      const verdict = tags['promptkeep.verdict']
      const version = params[`prompt.${prompt}`]
      return verdict === undefined ? [] : [`run ${id.slice(0, 8)}  ${params.suite} on ${version}  ${verdict}`]
    })
  } finally {
    await deps.close()
  }
}
