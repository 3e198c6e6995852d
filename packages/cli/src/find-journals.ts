import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CliError } from './cli-error.ts'

/** Journals of eval runs: files as they are named, and of a folder all in it, at any depth. */
export async function findJournals(paths: readonly string[], cwd: string): Promise<string[]> {
  const found: string[] = []
  for (const path of paths) {
    const full = resolve(cwd, path)
    const entry = await stat(full).catch(() => undefined)
    if (!entry) throw new CliError(`there is no file or folder ${path}`)
    if (!entry.isDirectory()) {
      found.push(full)
      continue
    }
    const names = (await readdir(full, { recursive: true })).filter((name) => name.endsWith('.jsonl')).sort()
    if (names.length === 0)
      throw new CliError(`the folder ${path} holds no journals of eval runs (.jsonl files)`)
    found.push(...names.map((name) => join(full, name)))
  }
  return found
}
