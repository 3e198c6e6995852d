import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** The commit that a folder is at, and whether anything in its repository differs from it. */
export interface GitState {
  readonly commit: string
  readonly dirty: boolean
}

/** `undefined` outside of a repository, before its first commit, and where there is no git. */
export async function readGitState(folder: string): Promise<GitState | undefined> {
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('git', args, { cwd: folder, maxBuffer: 64 * 2 ** 20 })
    return stdout.trim()
  }
  try {
    const [commit, changes] = [await git('rev-parse', 'HEAD'), await git('status', '--porcelain')]
    return { commit, dirty: changes !== '' }
  } catch {
    return undefined
  }
}
