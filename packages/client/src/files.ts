/**
 * Prompts as files: front matter, canonical text, and the lock that says what files and registry agreed on.
 * @module
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf, type PromptContent } from './digest.ts'
import { InvalidInput } from './errors.ts'
import { fileError } from './front-matter.ts'
import { canonicalTemplate, type PromptFile, parsePromptFile } from './prompt-file.ts'

export {
  canBeFile,
  canonicalTemplate,
  canonicalText,
  formatPromptFile,
  type PromptFile,
  parsePromptFile,
  promptNameOf,
} from './prompt-file.ts'
export { LOCK_FILE, type PromptLock, readLock, writeLock } from './prompt-lock.ts'
export { writeWhole } from './write-whole.ts'

/**
 * Every `<name>.md` of one folder, sorted by name. Sub-folders, hidden files and a README.md are left out.
 * @throws {InvalidInput} for a folder or file that cannot be read, and for the first bad file.
 */
export async function readPromptFolder(dir: string): Promise<PromptFile[]> {
  const files = await Promise.all((await listPromptFiles(dir)).map(readPromptFile))
  return files.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Paths of the files that `readPromptFolder` reads, unread. @throws {InvalidInput} for a folder that cannot be read */
export async function listPromptFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'there is no such folder' : `cannot be read (${cause.code})`
    throw new InvalidInput(`${dir}: ${why}`, { cause })
  })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => entry.name)
    .filter((name) => name.endsWith('.md') && !name.startsWith('.') && name.toLowerCase() !== 'readme.md')
    .sort()
    .map((name) => join(dir, name))
}

/** @throws {InvalidInput} */
export async function readPromptFile(path: string): Promise<PromptFile> {
  return parsePromptFile(await readUtf8(path), path)
}

/** @throws {InvalidInput} when the file cannot be read, or is not UTF-8 (as a text editor's legacy encoding is not) */
export async function readUtf8(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`
    throw new InvalidInput(`${path}: ${why}`, { cause })
  })
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw fileError(path, 1, 'is not UTF-8; save it in that encoding')
  }
}

/**
 * The digest by which files and registry are compared: over canonical text, and `{}` counts as absent. Equal to
 * `digestOf` for everything that was pushed from a file.
 */
export function fileDigestOf({ template, modelConfig, responseFormat }: PromptContent): Promise<string> {
  return digestOf({
    template: canonicalTemplate(template),
    ...(isEmpty(modelConfig) ? {} : { modelConfig }),
    ...(isEmpty(responseFormat) ? {} : { responseFormat }),
  })
}

const isEmpty = (value: object | undefined) => value === undefined || Object.keys(value).length === 0
