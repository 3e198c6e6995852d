// `npm run bench -- NAME [--small] [--json FILE] [--write FILE]`: one bench, `bench/NAME.ts`; without a name all of them.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { ensureReady, fail, root } from './setup.mjs'

const ALL = ['server', 'load', 'faults', 'growth', 'live', 'gate', 'evals']
const [first = '', ...rest] = process.argv.slice(2)
const [benches, options] = /^[a-z]/.test(first) ? [[first], rest] : [ALL, process.argv.slice(2)]
const known = `the benches are ${ALL.join(', ')}`

const unknown = benches.find((bench) => !existsSync(`${root}/bench/${bench}.ts`))
if (unknown) fail(`There is no bench "${unknown}": ${known}.`)
if (benches.length > 1 && options.some((option) => /^--(json|write)/.test(option)))
  fail(`--json and --write take one file: name one bench; ${known}.`)
ensureReady()
for (const bench of benches) {
  if (benches.length > 1) console.log(`\n## ${bench}\n`)
  const command = ['--import', 'tsx', `bench/${bench}.ts`, ...options]
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exitCode = status ?? 1
}
