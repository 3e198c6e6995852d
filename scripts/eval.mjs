// `npm run eval -- [flags]`: the assistant's suites, or those that are named.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ensureReady, root } from './setup.mjs'

ensureReady()
const args = process.argv.slice(2)
const suites = join('apps', 'assistant', 'evals')
const named = args.some((arg) => /\.ya?ml$/.test(arg))
const all = readdirSync(join(root, suites))
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => join(suites, file))
const command = ['packages/cli/bin/promptkeep.js', 'eval', ...(named ? [] : all), ...args]
process.exitCode = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status ?? 2
