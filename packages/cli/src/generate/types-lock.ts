import { type PromptLock, readLock, writeLock } from '@promptkeep/client/files'

/** A text by its digest, as files are compared. */
interface Text {
  readonly name: string
  readonly digest: string
}

/** What a survey found: of what has no file nothing is said. */
interface MaybeText {
  readonly name: string
  readonly fileDigest?: string | undefined
}

/** Notes in the folder's lock which texts the types were made from. Writes nothing when it says so already. */
export async function lockTypes(dir: string, texts: readonly Text[]): Promise<void> {
  const lock = await readLock(dir)
  const types = Object.fromEntries(texts.map(({ name, digest }) => [name, { digest }]))
  if (!isSame(lock.types, types)) await writeLock(dir, { ...lock, types })
}

/** Names of the texts that are not those which the types were made from; none where no types are noted. */
export async function olderThanText(dir: string, texts: readonly Text[]): Promise<string[]> {
  return olderTypes(
    await readLock(dir),
    texts.map(({ name, digest }) => ({ name, fileDigest: digest })),
  )
}

/** The same of a lock that is read already. */
export function olderTypes({ types }: PromptLock, texts: readonly MaybeText[]): string[] {
  if (types === undefined) return []
  const isOlder = ({ name, fileDigest }: MaybeText) =>
    fileDigest !== undefined && Object.hasOwn(types, name) && types[name]?.digest !== fileDigest
  return texts.filter(isOlder).map(({ name }) => name)
}

function isSame(a: PromptLock['types'], b: NonNullable<PromptLock['types']>): boolean {
  const flat = (digests: NonNullable<PromptLock['types']>) => JSON.stringify(Object.entries(digests).sort())
  return a !== undefined && flat(a) === flat(b)
}
