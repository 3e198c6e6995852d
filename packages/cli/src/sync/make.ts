import type { Registry, VersionDraft } from '@promptkeep/client'
import { fileDigestOf } from '@promptkeep/client/files'
import { expandDraft, hasIncludes, type Includable } from '@promptkeep/client/includes'
import { searchVersions } from '../find-version.ts'
import { findIn, inFile } from './parts.ts'
import { type Finding, sourceDigestOf } from './survey.ts'

/** What a file is as a version: with its parts in it. */
export interface Made {
  readonly finding: Finding
  readonly draft: VersionDraft
  /** The alias says just this, parts and all. */
  readonly isThere: boolean
  /** A version that holds just this, when the alias says another. */
  readonly held: { readonly version: number } | undefined
}

export interface Maker {
  /** @throws {CliError} naming file and line of an include that cannot be expanded */
  expand(finding: Finding): Promise<Made>
  /** What follows includes it as it is now. */
  pushed(finding: Finding, result: { readonly version?: number; readonly action: string }): void
}

/**
 * Makes versions of files, parts first. An include of a file of the same push means what was just pushed where it names
 * no alias, the alias that this push moves, or one that the part does not have yet; any other alias means what it says in
 * the registry.
 */
export function createMaker(registry: Registry, { alias: moving }: { readonly alias?: string }): Maker {
  const made = new Map<string, Made>()
  const versions = new Map<string, number>()
  const findThere = findIn(registry)

  function pushedAs(name: string, alias: string | undefined, version: number | undefined): Made | undefined {
    const part = version === undefined && versions.has(name) ? made.get(name) : undefined
    if (!part || alias === undefined || alias === moving) return part
    return part.finding.prompt?.aliases[alias] === undefined && alias !== 'latest' ? part : undefined
  }

  return {
    async expand(finding) {
      const { name, file, fileDigest, there, held } = finding
      if (!file) throw new Error(`no file for ${name}`)
      const { template, modelConfig, responseFormat, tags } = file
      const plain: VersionDraft = { name, template, modelConfig, responseFormat, tags }
      if (!hasIncludes(template)) {
        const isThere = there !== undefined && there.digest === fileDigest
        made.set(name, { finding, draft: plain, isThere, held })
        return { finding, draft: plain, isThere, held }
      }
      const draft = await inFile(file, () =>
        expandDraft(plain, async (reference): Promise<Includable> => {
          const part = pushedAs(reference.name, reference.alias, reference.version)
          if (!part) return findThere(reference)
          const { name, template, tags = {}, ...settings } = part.draft
          const digest = await fileDigestOf(part.draft)
          return { ...settings, name, template, tags, digest, version: versions.get(name) ?? 0 }
        }),
      )
      const digest = await fileDigestOf(draft)
      const isThere =
        there !== undefined && there.digest === fileDigest && (await fileDigestOf(there)) === digest
      const found = isThere || !finding.prompt ? undefined : await findMade(name, digest, fileDigest)
      made.set(name, { finding, draft, isThere, held: found })
      return { finding, draft, isThere, held: found }
    },
    pushed({ name, there }, { action, version }) {
      // What was refused is not what others include: they get what the registry says.
      if (action === 'refused') return
      versions.set(name, version ?? (action === 'unchanged' ? (there?.version ?? 0) : 0))
    },
  }

  /** Not only written alike, but made of the same parts. */
  async function findMade(name: string, digest: string, sourceDigest: string | undefined) {
    const found = await searchVersions(registry, name, async (version) => {
      return (await fileDigestOf(version)) === digest && (await sourceDigestOf(version)) === sourceDigest
    })
    return found && { version: found.version }
  }
}
