// `npm run bench [-- --small] [-- --json FILE]`: ours and the rivals in one run, as a table of ratios.
import { spawnSync } from 'node:child_process'
import { ensureReady, root } from './setup.mjs'

ensureReady()
const command = ['--import', 'tsx', 'bench/main.ts', ...process.argv.slice(2)]
process.exitCode = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status ?? 1
