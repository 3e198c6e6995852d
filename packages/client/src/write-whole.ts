import { randomBytes } from 'node:crypto'
import { open, realpath, rename, rm } from 'node:fs/promises'

/** What is left behind by a process that was killed while it wrote ends so. */
export const UNFINISHED = /\.[0-9a-f]{12}\.tmp$/

/**
 * Writes beside the file, then renames: a reader sees the old text or the new one, never a part, also after a crash or
 * a power cut. Of several writers the last one wins, whole.
 * @param mode - Permissions of a file that is new or replaced. Default: what the process gives new files.
 * @throws what the disk said; then the file is as it was
 */
export async function writeWhole(path: string, text: string, mode = 0o666): Promise<void> {
  const target = await realpath(path).catch(() => path) // a link stays a link
  const beside = `${target}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(beside, 'wx', mode)
    try {
      await file.writeFile(text)
      await file.sync() // a rename may reach the disk before the bytes do
    } finally {
      await file.close()
    }
    await rename(beside, target)
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {}) // the first trouble is the one to tell
    throw error
  }
}
