import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createAdmin } from '@promptkeep/client/admin'
import { describe, expect, it } from 'vitest'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'

const root = fileURLToPath(new URL('../', import.meta.url))

/** As `npm run demo:promotion` runs it; the build is there already. */
function demo(flag: string, env: Readonly<Record<string, string>> = {}) {
  const { PATH = '', HOME = '' } = process.env
  const args = ['--import', 'tsx', 'scripts/demo-promotion/main.ts', flag]
  return new Promise<{ readonly code: number; readonly out: string }>((resolve) => {
    execFile(process.execPath, args, { cwd: root, env: { PATH, HOME, ...env } }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out: `${out}${err}` })
    })
  })
}

const STEPS = ['PROMOTED', 'REFUSED', 'INCONCLUSIVE', 'UNDECIDED', 'FORCED']
const stepsOf = (out: string) =>
  [...out.matchAll(/\| \S+: ([A-Z]+): .*|-> exit (\d)/g)].map(([, word, code]) => word ?? code)

describe('npm run demo:promotion', { timeout: 120_000 }, () => {
  it('tells a promotion on our server, and each step comes out as told', async () => {
    const { code, out } = await demo('--ours-only')
    expect({ code, out }).toMatchObject({ code: 0 })
    expect(stepsOf(out)).toEqual(STEPS.flatMap((word, i) => [word, ['0', '1', '2', '2', '0'][i]]))
    const [, log = ''] = out.split('What is left of it: the change log.')
    const moves = log.split('\n').filter((line) => / production /.test(line))
    expect(moves).toEqual([
      expect.stringMatching(
        /v2 -> v3 \(forced\) +demo-admin +forced, without evidence: legal wants refunds out today/,
      ),
      expect.stringMatching(
        /v1 -> v2 \(run [0-9a-f]{8}\) +demo-promoter +warmer \| no worse than v1; support: pass_rate/,
      ),
      expect.stringMatching(/unset -> v1/),
    ])
  })

  it.skipIf(mlflowSkip)(
    `tells it on stock MLflow, where the last move is all that is kept, and says so ${mlflowSkip}`,
    async () => {
      const mlflow = await startMlflow()
      try {
        const { code, out } = await demo('--mlflow-only', { MLFLOW_TRACKING_URI: mlflow.url })
        expect({ code, out }).toMatchObject({ code: 0 })
        expect(stepsOf(out)).toEqual(STEPS.flatMap((word, i) => [word, ['0', '1', '2', '2', '0'][i]]))
        expect(out).toContain('stock MLflow, which keeps no history')
        const [, prompt = ''] = /promote (demo-support-\S+)/.exec(out) ?? []
        const admin = createAdmin({ trackingUri: mlflow.url, env: {} })
        const { items } = await admin.changes({ prompt, alias: 'production' })
        expect(items).toMatchObject([
          { from: 2, to: 3, reason: 'forced, without evidence: legal wants refunds out today' },
        ])
      } finally {
        await mlflow.stop()
      }
    },
  )
})
