import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Git } from './git.ts'

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Of a suite's file, by its text. */
export const digestOfManifest = (text: string): string => hash(text)
/** The same, of the file as it is now. */
export const manifestDigest = async (path: string): Promise<string> =>
  digestOfManifest(await readFile(path, 'utf8'))

/** More files than this that git does not know are no source code. */
const MOST_UNTRACKED = 200

/**
 * Of the code that a suite's target is made of, as far as git knows it: commit, what differs from it, and the files that are
 * not in it yet. `undefined` outside of a repository: then nobody can say that the code is the same.
 */
export async function codeDigest(git: Git, suitePath: string): Promise<string | undefined> {
  const folder = dirname(suitePath)
  const commit = await git(['rev-parse', 'HEAD'], folder)
  const top = await git(['rev-parse', '--show-toplevel'], folder)
  if (commit === undefined || top === undefined) return undefined
  const root = top.trim()
  const changes = await git(['diff', 'HEAD', '--binary', '--no-ext-diff'], root)
  const listed = await git(['ls-files', '--others', '--exclude-standard', '-z'], root)
  if (changes === undefined || listed === undefined) return undefined
  const files = listed.split('\0').filter((name) => name !== '')
  if (files.length > MOST_UNTRACKED) return undefined
  const untracked = files.length === 0 ? '' : await git(['hash-object', '--', ...files], root)
  return untracked === undefined ? undefined : hash(JSON.stringify([commit, changes, files, untracked]))
}
