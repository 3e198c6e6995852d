// `npm run eval -- [flags]`: the assistant's suites, or those that are named. Without a key for a model only the demo model could
// answer, which understands nothing: then it is the two suites that were made for it.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ensureReady, root } from './setup.mjs'

ensureReady()
const args = process.argv.slice(2)
const named = args.some((arg, i) => /^[^-].*\.ya?ml$/.test(arg) && args[i - 1] !== '--dataset')
const isDryRun = args.includes('--dry-run')
const isDemo = !named && !isDryRun && !process.env.OPENAI_API_KEY
const folder = join('apps', 'assistant', 'evals', ...(isDemo ? ['demo'] : []))
const suites = readdirSync(join(root, folder))
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => join(folder, file))
if (isDemo) {
  console.error(
    'OPENAI_API_KEY is not set, so the demo model answers: only its own two suites are run, which judge no language model.\n' +
      "The assistant's suites need OPENAI_API_KEY, and --judge-model where a judge is asked (docs/assistant.md, What its evals ask).\n",
  )
}
const command = ['packages/cli/bin/promptkeep.js', 'eval', ...(named ? [] : suites), ...args]
process.exitCode = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status ?? 2
