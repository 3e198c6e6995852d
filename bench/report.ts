import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/** What every bench understands: `--small`, `--json FILE` for the figures, `--write FILE` for the tables. */
export function readOptions(): { small: boolean; json: string | undefined; write: string | undefined } {
  const { values } = parseArgs({
    options: { small: { type: 'boolean' }, json: { type: 'string' }, write: { type: 'string' } },
  })
  return { small: values.small ?? false, json: values.json, write: values.write }
}

const root = join(import.meta.dirname, '..')

/** Day, machine and commit: what a figure means nothing without. */
export function heading(small: boolean): string {
  const machine = `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Node ${process.versions.node}`
  return `${new Date().toISOString().slice(0, 10)} · ${machine} · commit ${commit()}${small ? ' · small run' : ''}`
}

function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    const head = git('rev-parse', '--short', 'HEAD')
    const changed = git('status', '--porcelain', '--', 'packages')
    return changed === '' ? head : `${head} and uncommitted changes`
  } catch {
    return 'unknown' // not a clone
  }
}

/** Prints the report, and leaves it and its figures where they were asked for. */
export async function publish(
  { small, json, write }: ReturnType<typeof readOptions>,
  { title, text, figures }: { readonly title: string; readonly text: string; readonly figures: object },
): Promise<void> {
  const head = heading(small)
  console.log(`${head}\n\n${text}`)
  if (write !== undefined) await writeFile(write, `# ${title}\n\n${head}\n\n${text}\n`)
  if (json !== undefined) await writeFile(json, JSON.stringify({ head, ...figures }, null, 2))
}
