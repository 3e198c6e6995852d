import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const installed = fileURLToPath(new URL('../../.cache/runtimes/node_modules', import.meta.url))

/**
 * Why tests of the packed packages are skipped here, or '' where they run. What they need is named in
 * `tests/runtimes/package.json` and installed by `.ci/run`; there, `REQUIRE_RUNTIMES=1` makes absence a failure.
 */
export const runtimesSkip = whyNone(installed)

/** The same for one runtime, which may be missing by itself: not every platform has a package of each. */
export const skipOf = (program: Program): string => runtimesSkip || whyNone(program.file)

function whyNone(path: string): string {
  if (existsSync(path)) return ''
  const reason = `there is no ${path}: .ci/run installs it`
  if (process.env.REQUIRE_RUNTIMES === '1') throw new Error(`REQUIRE_RUNTIMES=1, but ${reason}`)
  return `(skipped: ${reason})`
}

export interface Program {
  readonly name: string
  /** What must be there; a program is run from here, as postinstall scripts are not. */
  readonly file: string
}

const nodeOf = (major: number): Program => ({
  name: `Node ${major}`,
  file: join(installed, `node${major}`, 'bin', 'node'),
})

export const NODES = [20, 22, 24].map(nodeOf)
export const BUN: Program = { name: 'Bun', file: binary('@oven', 'bun', 'bin', 'bun') }
export const DENO: Program = { name: 'Deno', file: binary('@deno', '', 'deno') }
export const WORKERD: Program = {
  name: 'workerd',
  file: binary('@cloudflare', 'workerd', 'bin', 'workerd'),
}

/** JavaScript that Node runs. */
export const ATTW = join(installed, '@arethetypeswrong', 'cli', 'dist', 'index.js')
export const COMPILERS = [
  { name: 'TypeScript 5.6', file: join(installed, 'typescript56', 'bin', 'tsc') },
  { name: 'TypeScript 7', file: join(installed, 'typescript7', 'bin', 'tsc') },
]

/** The binary's package for this machine is the one that npm has chosen by platform and processor. */
function binary(owner: string, prefix: string, ...path: string[]): string {
  const folder = join(installed, owner)
  const packages = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(prefix)) : []
  // Of two (Bun has one for older processors, too) the shorter name is the plain one.
  const [name = `${prefix}-${process.platform}-${process.arch}`] = packages.sort(
    (a, b) => a.length - b.length,
  )
  return join(folder, name, ...path)
}
