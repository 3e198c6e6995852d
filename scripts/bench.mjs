// `npm run bench [-- --small] [-- --json FILE]`: ours and the rivals in one run, as a table of ratios.
// `npm run bench -- growth`, and every other file of bench/ by its name: what that one measures.
import { spawnSync } from 'node:child_process'
import { ensureReady, root } from './setup.mjs'

ensureReady()
const [first = '', ...rest] = process.argv.slice(2)
const [bench, options] = /^[a-z]/.test(first) ? [first, rest] : ['main', process.argv.slice(2)]
const command = ['--import', 'tsx', `bench/${bench}.ts`, ...options]
process.exitCode = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status ?? 1
