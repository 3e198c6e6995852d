import { digestOf, type Role, TAG } from '@promptkeep/client/protocol'
import { expect } from 'vitest'
import type { Author, Policy, RunStatus, Store } from '../store.ts'
import { ada, type OpenStore, opened, withPrompt } from './support.ts'

export const by = (actor: string, ...roles: Role[]): Author => ({ actor, roles, tokenId: `id-of-${actor}` })
export const writer = by('wren', 'writer')
export const promoter = by('pia', 'promoter')
export const admin = by('root', 'admin')
export const evaluator = by('ci', 'evaluator')

export const EVIDENCE = { alias: 'production', evidenceRequired: true } as const

/** Nothing but what a test asks for. */
export function policyOf(given: Partial<Policy>): Omit<Policy, 'updatedAt' | 'updatedBy'> {
  return {
    alias: 'production',
    roles: ['writer', 'promoter'],
    reasonRequired: false,
    evidenceRequired: false,
    maxAgeMs: undefined,
    ...given,
  }
}

/** A finished run that passed, except for what a test changes; `undefined` leaves a param or tag out. */
export interface Sketch {
  readonly name?: string
  readonly version?: number
  readonly params?: Readonly<Record<string, string | undefined>>
  readonly tags?: Readonly<Record<string, string | undefined>>
  readonly status?: RunStatus
  readonly endTime?: number
  /** Of the verdict. */
  readonly author?: Author
}

export const RECENT = 1_700_000_000_000

export async function runOf(store: Store, sketch: Sketch = {}): Promise<string> {
  const { name = 'memory', version = 2, status = 'FINISHED', endTime = RECENT, author = evaluator } = sketch
  const { tags } = await store.versions.get(name, version)
  const digest = await digestOf({ template: tags[TAG.text] ?? '' })
  const params = {
    suite: 'tone',
    dataset_digest: 'd1',
    [`prompt.${name}`]: `v${version}`,
    [`prompt_digest.${name}`]: digest,
    ...sketch.params,
  }
  const draft = { experimentId: '0', name: 'run', userId: 'ci', startTime: RECENT - 1000, tags: {} }
  const { id } = await store.runs.create(draft, evaluator)
  await store.runs.log(id, { metrics: [], params: pairs(params), tags: [] }, evaluator)
  const said = { 'mlflow.source.name': 'evals/tone.yaml', 'promptkeep.verdict': 'pass', ...sketch.tags }
  await store.runs.log(id, { metrics: [], params: [], tags: pairs(said) }, author)
  await store.runs.update(id, { status, endTime })
  return id
}

const pairs = (given: Readonly<Record<string, string | undefined>>) =>
  Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]))

/** `memory` with three versions, production at the first, which has a baseline run, and a policy. */
export async function guarded(
  open: OpenStore,
  policy: Partial<Policy> = EVIDENCE,
  now = () => RECENT + 1000,
) {
  const store = await opened(open, { now, allowModelConfigEdit: true })
  await withPrompt(store, 'memory', 'one', 'two', 'three')
  await store.aliases.move({ name: 'memory', alias: 'production', to: 1, ...ada })
  await runOf(store, { version: 1, endTime: RECENT - 5000 })
  await store.policies.set(policyOf(policy), admin)
  return store
}

export const promote = (store: Store, more: Partial<Author> = {}, to = 2, name = 'memory') =>
  store.aliases.move({ name, alias: 'production', to, ...promoter, ...more })

export const refusedFor = (clause: string, ...texts: string[]) => ({
  code: 'FORBIDDEN',
  message: expect.stringMatching(
    new RegExp([`clause "${clause}"`, ...texts.map(escaped)].map((text) => `(?=[^]*${text})`).join('')),
  ),
})

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
