// Set-up that needs nothing but Node and npm: the other scripts call it before they use a dependency.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const floor = [20, 19]

/** Prints one line and ends the process: a set-up fault needs no stack. */
export function fail(message, code = 2) {
  process.stderr.write(`${message}\n`)
  process.exit(code)
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < floor[0] || (major === floor[0] && minor < floor[1]))
    fail(`Promptkeep needs Node ${floor.join('.')} or newer; this is ${process.versions.node}.`)
}

/** Runs a command in the repository; its output is shown only when it fails. */
function run(command, args, what) {
  const done = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (done.status === 0) return
  process.stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}`)
  fail(`${what} failed${done.error ? `: ${done.error.message}` : ''}.`, done.status || 1)
}

/** Installs when `node_modules` is missing or was made from another lock file. */
function ensureInstalled() {
  requireNode()
  const stamp = join(root, 'node_modules', '.cache', 'promptkeep-lock')
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const fresh = !existsSync(join(root, 'node_modules', '.package-lock.json'))
  if (!fresh && existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  process.stderr.write('Installing dependencies (once)…\n')
  // Not `npm ci`: it refuses a lock file that lacks the optional packages of platforms other than its maker's.
  run('npm', ['install', '--no-audit', '--no-fund'], 'npm install')
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, lock)
}

/** Builds what is stale; `tsc -b` knows what that is, but leaves what was built from sources that are gone. */
function ensureBuilt() {
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b'], 'The build')
  for (const workspaces of ['packages', 'apps'])
    for (const name of readdirSync(join(root, workspaces))) removeOrphans(join(root, workspaces, name))
}

/** What is packed is the folder `dist`, whatever lies in it. */
function removeOrphans(workspace) {
  const [dist, src] = [join(workspace, 'dist'), join(workspace, 'src')]
  if (!existsSync(dist) || !existsSync(src)) return
  for (const file of readdirSync(dist, { recursive: true })) {
    const [, stem] = /^(.*?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(file) ?? []
    if (stem !== undefined && !existsSync(join(src, `${stem}.ts`))) rmSync(join(dist, file))
  }
}

/** Both, for a command that runs built code. */
export function ensureReady() {
  ensureInstalled()
  ensureBuilt()
}
