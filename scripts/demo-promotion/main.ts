import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdmin } from '@promptkeep/client/admin'
import { silent } from '@promptkeep/client/protocol'
import { openTokens, readConfig, start } from '@promptkeep/server'
import { findMlflow } from './mlflow.ts'
import { tell } from './story.ts'

const print = (text: string): void => void process.stdout.write(text)

/** Our server on a file of its own, with a token for each who takes part, and a policy. */
async function onOurs(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'promptkeep-demo-'))
  const DATABASE_URL = `sqlite:${join(folder, 'registry.db')}`
  try {
    const made = await openTokens(DATABASE_URL)
    const token = async (role: 'evaluator' | 'promoter' | 'admin') =>
      (await made.create({ name: `demo-${role}`, roles: [role] })).text
    const tokens = {
      evaluator: await token('evaluator'),
      promoter: await token('promoter'),
      admin: await token('admin'),
    }
    await made.close()
    const server = await start(readConfig({ PORT: '0', DATABASE_URL }), silent)
    try {
      const admin = createAdmin({ trackingUri: server.url, env: { MLFLOW_TRACKING_TOKEN: tokens.admin } })
      const policy = { roles: ['promoter'], reasonRequired: true, evidenceRequired: true } as const
      await admin.policies.set({ alias: 'production', ...policy, maxAgeSeconds: 3600 })
      print(
        `Our server at ${server.url}: production takes a promoter, a reason and evidence that an evaluator judged.\n`,
      )
      return await tell({ trackingUri: server.url, prompt: 'support', isStock: false, tokens }, print)
    } finally {
      await server.stop()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function onMlflow(): Promise<boolean> {
  const mlflow = await findMlflow(process.env)
  if (mlflow === undefined) {
    print(
      '\nNo MLflow here (neither .cache/mlflow nor MLFLOW_TRACKING_URI): the same on a stock MLflow is left out.\n',
    )
    return true
  }
  try {
    print(`\nThe same on stock MLflow at ${mlflow.url}: no tokens, no policies, no compare-and-set.\n`)
    const prompt = `demo-support-${Date.now().toString(36)}`
    return await tell({ trackingUri: mlflow.url, prompt, isStock: true, tokens: {} }, print)
  } finally {
    await mlflow.stop()
  }
}

const isAsTold =
  (process.argv.includes('--mlflow-only') || (await onOurs())) &&
  (process.argv.includes('--ours-only') || (await onMlflow()))
print(isAsTold ? '\nAll as told.\n' : '\nNot as told.\n')
process.exitCode = isAsTold ? 0 : 1
