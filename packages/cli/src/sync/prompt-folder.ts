import { access, mkdir } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { type PromptFile, type PromptLock, readLock, readPromptFolder } from '@promptkeep/client/files'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'

export const DEFAULT_DIR = './prompts'

export interface PromptFolder {
  /** Absolute. */
  readonly dir: string
  /** As a person would type it here: for messages and hints. */
  readonly label: string
  readonly files: readonly PromptFile[]
  readonly lock: PromptLock
}

/**
 * @param command - What the person typed, for the hint.
 * @param missing - What becomes of a folder that is not there; `imagine` takes it for an empty one and makes nothing.
 * @throws {CliError} for a missing folder; `INVALID_INPUT` for a bad file
 */
export async function openPromptFolder(
  io: Io,
  command: 'status' | 'push' | 'pull' | 'generate',
  given: string,
  missing: 'refuse' | 'make' | 'imagine' = 'refuse',
): Promise<PromptFolder> {
  const dir = resolve(io.cwd, given)
  const label = relative(io.cwd, dir) || '.'
  const exists = await access(dir).then(
    () => true,
    () => false,
  )
  if (!exists && missing === 'refuse')
    throw new CliError(`${label}: there is no such folder`, {
      hint:
        command === 'pull'
          ? '--all makes it, and pulls every prompt of the registry; for some of them make it first, and name them with --only.'
          : `Name the folder of the prompt files: promptkeep ${command} ${command === 'generate' ? '--from ' : ''}apps/assistant/prompts`,
    })
  if (!exists && missing === 'imagine') return { dir, label, files: [], lock: { version: 1, prompts: {} } }
  if (!exists) await mkdir(dir, { recursive: true })
  return { dir, label, files: await readPromptFolder(dir), lock: await readLock(dir) }
}

/** @throws {CliError} for a name of `--only` that neither side has */
export function checkOnly(
  only: readonly string[] | undefined,
  found: readonly { readonly name: string }[],
): void {
  const unknown = (only ?? []).filter((name) => !found.some((finding) => finding.name === name))
  if (unknown.length > 0)
    throw new CliError(`--only: neither the folder nor the registry has a prompt ${unknown.join(', ')}`)
}
