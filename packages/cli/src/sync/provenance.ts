import { basename, dirname } from 'node:path'
import { TAG } from '@promptkeep/client/protocol'
import type { Io } from '../io.ts'

/** Where a file's text comes from, as tags of the version that is made of it. */
export interface Provenance {
  /** Path from the root of the git repository with `/`; outside of one, the file's name. */
  readonly path: string
  readonly commit?: string
  /** The file differs from that commit. */
  readonly dirty?: boolean
}

export async function provenanceOf(io: Pick<Io, 'git'>, file: string): Promise<Provenance> {
  const folder = dirname(file)
  const name = basename(file)
  const prefix = await io.git(['rev-parse', '--show-prefix'], folder)
  if (prefix === undefined) return { path: name }
  const path = `${prefix.trimEnd()}${name}`
  const commit = (await io.git(['rev-parse', '--verify', 'HEAD'], folder))?.trim()
  if (commit === undefined) return { path }
  const changes = await io.git(['status', '--porcelain', '--', name], folder)
  return { path, commit, dirty: changes === undefined || changes.trim() !== '' }
}

export const provenanceTags = ({ path, commit, dirty }: Provenance): Record<string, string> => ({
  [TAG.sourceFile]: path,
  ...(commit === undefined ? {} : { [TAG.gitCommit]: commit }),
  ...(dirty ? { [TAG.gitDirty]: 'true' } : {}),
})
