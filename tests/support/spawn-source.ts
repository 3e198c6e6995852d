import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/**
 * Starts a TypeScript file as a process of its own, reading the packages' sources as the tests do, not `dist`.
 *
 * @param script - A file beside this one.
 */
export function spawnSource(
  script: string,
  args: readonly string[],
): ChildProcessByStdio<Writable, Readable, Readable> {
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  return spawn(process.execPath, ['--import', 'tsx', here(script), ...args], {
    env: { ...process.env, TSX_TSCONFIG_PATH: here('tsconfig.sources.json') },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}
