import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isAbsence, type Lineage } from '@promptkeep/client'
import { answered } from './aliases.ts'
import { codeDigest } from './code-digest.ts'
import type { Case } from './dataset.ts'
import type { LoadedSuite } from './load-suite.ts'
import type { EvalDeps } from './run-eval.ts'
import type { CachedResponse, ResponseCache } from './runner.ts'

/** As long as a run counts as fresh. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000

/** What runs behind an address, nobody can see. */
export const isRemote = (target: string): boolean => /^https?:/i.test(target)

interface Entry extends CachedResponse {
  /** Milliseconds since the epoch. */
  readonly at: number
}

/**
 * Answers by what they are an answer to: the target with its code and settings, the case, the model, the alias chain, and the
 * text of every prompt that went into it, which the registry is asked for. `undefined` where that cannot be known: without
 * a folder, or where no git says what a target's code is.
 */
export async function openResponses(
  { suite, options, promptAlias }: LoadedSuite,
  { responses: folder, registry, git, env, now, trackingUri }: EvalDeps,
): Promise<ResponseCache | undefined> {
  if (folder === undefined) return undefined
  // That it is the same for a day is what whoever asks for the cache believes.
  const code = isRemote(suite.target) ? 'remote' : await codeDigest(git, suite.path)
  if (code === undefined) return undefined
  const setting = [suite.target, code, trackingUri, options.model ?? null, promptAlias, settingsOf(env)]
  const versions = new Map<string, Promise<Pick<Lineage, 'alias' | 'version' | 'digest'> | undefined>>()

  /** What the chain says of a prompt now; asked once. */
  function current(name: string) {
    const known = versions.get(name) ?? answered(resolve(name))
    versions.set(name, known)
    return known
  }

  async function resolve(name: string) {
    try {
      const { aliases } = await registry.find(name)
      const alias = promptAlias.find((one) => aliases[one] !== undefined)
      if (alias === undefined) return undefined
      const { version, digest } = await registry.load(name, { alias })
      return { alias, version, digest }
    } catch (error) {
      if (isAbsence(error)) return undefined
      throw error
    }
  }

  const pathOf = ({ id, input, turns, context, seed }: Case, trial: number) => {
    const asked = [setting, trial, { id, input, turns, context, seed }]
    const key = createHash('sha256').update(JSON.stringify(asked)).digest('hex')
    return join(folder, key.slice(0, 2), `${key}.json`)
  }

  return {
    async get(testCase, trial) {
      const entry = await read(pathOf(testCase, trial))
      if (!entry || !(entry.at <= now() && now() - entry.at < MAX_AGE_MS)) return undefined
      const prompts: Record<string, Lineage> = {}
      for (const [name, used] of Object.entries(entry.result.prompts)) {
        const says = await current(name)
        const isSame =
          says?.alias === used.alias && says?.version === used.version && says?.digest === used.digest
        if (!isSame) return undefined
        // The registry said so in this run.
        prompts[name] = { ...used, source: 'registry', ageMs: 0 }
      }
      return { result: { ...entry.result, prompts }, latencyMs: entry.latencyMs }
    },
    async put(testCase, trial, response) {
      const used = Object.values(response.result.prompts)
      const isKnown = ({ source, alias }: Lineage) =>
        (source === 'registry' || source === 'cache') && alias !== undefined && alias !== 'latest'
      if (used.length === 0 || !used.every(isKnown)) return
      await write(folder, pathOf(testCase, trial), { ...response, at: now() })
    },
  }
}

/** Which model answers, and where it is asked, is often said by the environment. */
const settingsOf = (env: EvalDeps['env']): readonly (readonly [string, string | undefined])[] =>
  Object.entries(env)
    .filter(([name]) => /MODEL|URL|HOST|REGION|PROVIDER/.test(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))

/** What cannot be read is not known. */
async function read(path: string): Promise<Entry | undefined> {
  try {
    const entry = JSON.parse(await readFile(path, 'utf8')) as Partial<Entry>
    return typeof entry.at === 'number' && entry.result?.prompts ? (entry as Entry) : undefined
  } catch {
    return undefined
  }
}

/** Whole or not at all. An answer that cannot be kept is asked for again. */
async function write(folder: string, path: string, entry: Entry): Promise<void> {
  const half = `${path}.${randomUUID()}`
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await mkdir(dirname(path), { recursive: true })
    await writeFile(join(folder, '.gitignore'), '*\n')
    await writeFile(half, JSON.stringify(entry))
    await rename(half, path)
  } catch {
    // Nothing depends on it.
  }
}
