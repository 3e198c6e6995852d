import { posix } from 'node:path'
import { InvalidInput, RegistryError, VersionNotFound } from '@promptkeep/client/protocol'
import type { ModelVersion, Run, Store } from '../../store/store.ts'
import { isPrompt } from './rules.ts'

/** What a prompt's version says where a plain model's names its files. */
const PROMPT_SOURCES = ['dummy-source', 'prompt-template']

interface Source {
  readonly source: string
  readonly runId: string
  readonly modelId: string
  readonly isPrompt: boolean
}

/**
 * MLflow's rules for where a version comes from. This server opens no source itself; but its clients do, so a version
 * must not point into somebody else's files.
 * @throws {InvalidInput} in MLflow's words
 */
export async function requireSource(store: Store, given: Source): Promise<void> {
  const { source, runId, modelId } = given
  if (given.isPrompt) {
    if (PROMPT_SOURCES.includes(source)) return
    throw new InvalidInput(
      `Invalid prompt source: '${source}'. Prompt sources must use an MLflow placeholder.`,
    )
  }
  if (modelId !== '') throw notContained(source, 'model_id')
  const path = localPath(source)
  if (path !== undefined) {
    const root = runId === '' ? undefined : localPath((await sourceRun(store, source, runId)).artifactUri)
    if (root !== undefined && isWithin(path, root)) return
    throw new InvalidInput(
      `Invalid model version source: '${source}'. To use a local path as a model version source, the run_id ` +
        'request parameter has to be specified and the local path has to be contained within the artifact ' +
        'directory of the run specified by the run_id.',
    )
  }
  requireAbsolute(source)
  if (source.startsWith('runs:') && /^runs:\/+([^/]+)/.exec(source)?.[1] !== runId)
    throw notContained(source, 'run_id')
  if (source.startsWith('models:')) await requireModel(store, source)
  if (source.startsWith('mlflow-artifacts:')) {
    if (runId === '') throw notContained(source, 'run_id')
    const { artifactUri } = await sourceRun(store, source, runId)
    if (!isWithin(source, artifactUri)) throw notContained(source, 'run_id')
  }
}

/** Where the files lie: a source that is another version's is followed. Bounded, so that no circle holds it. */
export async function downloadUri(store: Store, version: ModelVersion): Promise<string> {
  let at = version
  for (let step = 0; step < 10; step += 1) {
    const other = modelUri(at.source)
    if (other?.version === undefined) return at.source
    at = await store.versions.get(other.name, other.version)
  }
  return at.source
}

/** @throws {InvalidInput} unless it names a version of a plain model */
async function requireModel(store: Store, source: string): Promise<void> {
  const uri = modelUri(source)
  if (uri === undefined) throw notContained(source, 'model_id')
  const model = await store.prompts.get(uri.name)
  if (isPrompt(model.tags))
    throw new InvalidInput(
      `Invalid model version source: '${source}'. Prompt versions cannot be used as model version sources.`,
    )
  if (uri.version === undefined)
    throw new InvalidInput(
      `Invalid model version source: '${source}'. A source that is another model must name its version by number.`,
    )
  await store.versions.get(uri.name, uri.version)
}

/** `models:/name/3`; without `version` for any other last part. */
function modelUri(source: string): { name: string; version?: number } | undefined {
  const [, name, version] = /^models:\/+([^/@]+)(?:\/(\d{1,9})$)?/.exec(source) ?? []
  if (name === undefined || name.startsWith('m-')) return undefined
  if (version === '0') throw new VersionNotFound(name, 0)
  return version === undefined ? { name } : { name, version: Number(version) }
}

async function sourceRun(store: Store, source: string, runId: string): Promise<Run> {
  try {
    return await store.runs.get(runId)
  } catch (error) {
    if (error instanceof RegistryError && error.status === 404) throw notContained(source, 'run_id')
    throw error
  }
}

/** The path of a source without a scheme, or with `file:`. */
function localPath(source: string): string | undefined {
  const file = /^file:(?:\/\/[^/]*)?(.*)$/i.exec(source)
  if (file) return decoded(file[1] ?? '')
  return /^[a-z][a-z0-9+.-]*:/i.test(source) ? undefined : source
}

const isWithin = (path: string, root: string): boolean =>
  !decoded(path).split('/').includes('..') &&
  `${posix.normalize(path)}/`.startsWith(`${posix.normalize(root).replace(/\/$/, '')}/`)

function requireAbsolute(source: string): void {
  if (!decoded(source).split('/').includes('..')) return
  throw new InvalidInput(
    `Invalid model version source: '${source}'. If supplying a source as an http, https, local file path, ftp, ` +
      'objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references ' +
      'present. Please provide an absolute path.',
  )
}

/** Until nothing is encoded any more: `%252e` is `%2e` is a dot. */
function decoded(text: string): string {
  let last = text
  for (;;) {
    const next = last.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
    if (next === last) return last
    last = next
  }
}

const notContained = (source: string, field: 'run_id' | 'model_id') =>
  new InvalidInput(
    `Invalid model version source: '${source}'. The ${field} request parameter must identify the resource that ` +
      'contains the source.',
  )
