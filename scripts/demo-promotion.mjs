// `npm run demo:promotion`: a promotion that is earned, and those that are not. No key, nothing is left behind.
import { spawnSync } from 'node:child_process'
import { ensureReady, root } from './setup.mjs'

ensureReady()
const command = ['--import', 'tsx', 'scripts/demo-promotion/main.ts', ...process.argv.slice(2)]
process.exitCode = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status ?? 1
