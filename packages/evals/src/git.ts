import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Standard output of `git <args>` in a folder; `undefined` when it fails or there is no git. */
export type Git = (args: readonly string[], folder: string) => Promise<string | undefined>

/** The commit that a folder is at, and whether anything in its repository differs from it. */
export interface GitState {
  readonly commit: string
  readonly dirty: boolean
}

/** `undefined` outside of a repository, before its first commit, and where there is no git. */
export async function readGitState(git: Git, folder: string): Promise<GitState | undefined> {
  const commit = await git(['rev-parse', 'HEAD'], folder)
  const changes = await git(['status', '--porcelain'], folder)
  if (commit === undefined || changes === undefined) return undefined
  return { commit: commit.trim(), dirty: changes.trim() !== '' }
}

/** The machine's own git. */
export const systemGit: Git = async (args, folder) => {
  try {
    const options = { cwd: folder, maxBuffer: 64 * 2 ** 20 }
    return (await promisify(execFile)('git', [...args], options)).stdout
  } catch {
    return undefined
  }
}
