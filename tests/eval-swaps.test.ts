import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, type Registry } from '@promptkeep/client'
import type { Role } from '@promptkeep/client/protocol'
import {
  createEvalDeps,
  type EvalReport,
  findBaseline,
  loadSuite,
  runSuite,
  type Target,
} from '@promptkeep/evals'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from './support/ask.ts'
import { type ModelRecorder, startModelRecorder } from './support/model-recorder.ts'
import { bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

/*
 * Prompts are swapped at random while runs go on. What a run says that it judged is held to what the model was sent, and a
 * run in which anything was swapped must be no evidence, for the server's policy and for the choice of a baseline.
 */

const RUNS = 100
const SEED = 20_260_712
const CASES = ['one', 'two', 'three']
const VERSIONS = 3
/** Both are used by every case; `tone` is what is to be promoted. */
const PROMPTS = ['tone', 'facts'] as const
type Name = (typeof PROMPTS)[number]

const SWAPS = ['move', 'away-and-back', 'removed', 'edited', 'made-anew', 'set-before-in-chain'] as const
/** These alter nothing that a run uses: it must stay evidence. */
const OTHERS = ['nothing', 'other-alias', 'other-prompt', 'behind-in-chain'] as const
type Deed = (typeof SWAPS)[number] | (typeof OTHERS)[number]

interface Ran {
  readonly deed: Deed
  readonly report: EvalReport
  readonly params: Readonly<Record<string, string>>
  readonly tags: Readonly<Record<string, string>>
  /** What the model was sent in this run, by the user's message. */
  readonly sent: ReadonlyMap<string, string>
  /** The move that named this run as its evidence. */
  readonly move: { readonly status: number; readonly message: string }
  /** The baseline that is found for the text that this run says it judged. */
  readonly baseline: string | undefined
}

const MLFLOW = '/api/2.0/mlflow'
const OWN = '/api/promptkeep/1.0'

describe(`${RUNS} runs with prompts swapped at random while they go on`, () => {
  let server: TokenRegistry
  let model: ModelRecorder
  let admin: Registry
  let evaluator: Registry
  let app: Registry
  let folder = ''
  /** Every text that ever was, by its digest. */
  const known = new Map<string, { readonly text: string; readonly version: number }>()
  let written = 0
  const runs: Ran[] = []

  beforeAll(async () => {
    server = await startTokenRegistry({ ALLOW_MODEL_CONFIG_EDIT: 'true' })
    model = await startModelRecorder()
    const as = (role: Role, strict: boolean) =>
      createRegistry({
        ...{ trackingUri: server.url, strict, cacheTtlSeconds: 0, timeoutMs: 10_000 },
        env: { MLFLOW_TRACKING_TOKEN: server.tokens[role] },
      })
    admin = as('admin', true)
    evaluator = as('evaluator', true)
    app = as('reader', false)
    for (const name of [...PROMPTS, 'unused']) await make(name)
    const policy = { alias: 'gold', roles: ['promoter'], evidence_required: true }
    expect(await post('admin', `${OWN}/policies`, policy)).toMatchObject({ status: 200 })

    folder = await mkdtemp(join(tmpdir(), 'promptkeep-swaps-'))
    const cases = CASES.map((id) => ({ id, input: id, expected: { contains: ['Done'] } }))
    await writeFile(join(folder, 'cases.json'), JSON.stringify(cases))
    const suite = { name: 'swaps', dataset: 'cases.json', target: 'http://127.0.0.1/chat', threshold: 1 }
    await writeFile(
      join(folder, 'swaps.yaml'),
      JSON.stringify({ ...suite, scorers: ['contains'], concurrency: 2 }),
    )
    const random = mulberry32(SEED)
    while (runs.length < RUNS) runs.push(await runOnce(random))
  }, 90_000)

  afterAll(async () => {
    for (const registry of [admin, evaluator, app]) await registry?.close()
    await model?.close()
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function post(role: Role, path: string, body: object, method = 'POST') {
    const forced = { 'promptkeep-force': 'true', 'promptkeep-reason': 'for%20the%20next%20run' }
    const headers = {
      ...{ 'content-type': 'application/json', ...bearer(server.tokens[role]) },
      ...(method === 'DELETE' ? forced : {}),
    }
    const answer = await ask(server.url, { method, path, body: JSON.stringify(body), headers })
    return { status: answer.status, message: (answer.body as { message?: string }).message ?? '' }
  }
  const removeAlias = (name: string, alias: string) =>
    post('admin', `${MLFLOW}/registered-models/alias`, { name, alias }, 'DELETE')

  /** A prompt with texts that no other version ever had. */
  async function make(name: string) {
    for (let n = 0; n < VERSIONS; n++) {
      const text = `This is text ${++written}.`
      const { digest, version } = await admin.register({ name, template: text })
      known.set(digest, { text, version })
    }
    await admin.setAlias(name, 'production', 1)
  }

  async function makeAnew(name: string) {
    const path = `${MLFLOW}/registered-models/delete`
    expect(await post('admin', path, { name }, 'DELETE')).toMatchObject({ status: 200 })
    await make(name)
  }

  async function runOnce(random: () => number): Promise<Ran> {
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
    const isChain = random() < 0.5
    const name = pick(PROMPTS)
    const deed = pick<Deed>(random() < 0.65 ? SWAPS : OTHERS)
    for (const one of PROMPTS) await admin.setAlias(one, 'production', pick([1, 2, 3]))
    await removeAlias('facts', 'experiment')
    await admin.setAlias('tone', 'experiment', pick([1, 2, 3]))

    // From the first moment of a run to its last: as it opens, three times in each case, as it closes.
    let left = Math.floor(random() * (2 + 3 * CASES.length))
    const moment = async () => {
      if (left-- === 0) await perform(deed, name, isChain)
    }
    const deps = createEvalDeps({
      ...{ registry: evaluator, trackingUri: server.url, git: async () => undefined },
      env: { MLFLOW_TRACKING_TOKEN: server.tokens.evaluator },
    })
    const promptAlias = isChain ? 'experiment' : 'production'
    const loaded = await loadSuite({ suite: join(folder, 'swaps.yaml'), promptAlias }, deps)
    const before = model.calls.length
    const report = await runSuite({ ...loaded, target: { open: () => openTarget(moment) } }, deps)
    const sent = new Map(model.calls.slice(before).map(({ body }) => saidIn(body)))

    // Whatever came of it, a careless evaluator calls it good.
    const verdict = { run_id: report.run.id, key: 'promptkeep.verdict', value: 'pass' }
    expect(await post('evaluator', `${MLFLOW}/runs/set-tag`, verdict)).toMatchObject({ status: 200 })
    const { params, tags } = await deps.tracking.getRun(report.run.id)
    const version = Number(params['prompt.tone']?.slice(1) ?? 1)
    const evidence = { name: 'tone', alias: 'gold', version, evidence: report.run.id }
    const move = await post('promoter', `${OWN}/alias`, evidence)
    await removeAlias('tone', 'gold')
    const baseline = await findBaseline(deps.tracking, {
      ...{ experiment: deps.experiment, suite: 'swaps', datasetDigest: report.dataset.digest },
      ...{ prompt: 'tone', digest: params['prompt_digest.tone'] ?? 'none' },
    })
    // Clients hold a version to what it was when they saw it first: an edited one is no candidate of theirs.
    if (deed === 'edited') await makeAnew(name)
    return { deed, report, params, tags, sent, move, baseline: baseline?.id }
  }

  /** An app in small: both prompts, and one request to a model with their texts. */
  async function openTarget(moment: () => Promise<void>): Promise<Target> {
    await moment()
    return {
      async run({ input = '' }, { promptAlias, signal }) {
        await moment()
        const set = await app.loadSet(PROMPTS, { alias: promptAlias, maxAgeMs: 0 })
        await moment()
        const content = PROMPTS.map((one) => set.get(one).format()).join('\n')
        const messages = [
          { role: 'system', content },
          { role: 'user', content: input },
        ]
        const answer = await fetch(`${model.url}/v1/chat/completions`, {
          ...{ method: 'POST', signal, body: JSON.stringify({ model: 'm', messages }) },
        })
        const { choices } = (await answer.json()) as { choices: [{ message: { content: string } }] }
        await moment()
        return {
          ...{ output: choices[0].message.content, messages, toolCalls: [], model: 'm' },
          ...{ prompts: set.versions, fingerprint: set.fingerprint },
          usage: { inputTokens: 1, outputTokens: 1, requests: 1 },
        }
      },
      close: moment,
    }
  }

  async function perform(deed: Deed, name: Name, isChain: boolean): Promise<void> {
    const { aliases } = await admin.find(name)
    const alias = isChain && name === 'tone' ? 'experiment' : 'production'
    const now = aliases[alias] as number
    const other = (now % VERSIONS) + 1
    switch (deed) {
      case 'nothing':
        return
      case 'move':
        await admin.setAlias(name, alias, other)
        return
      case 'away-and-back':
        await admin.setAlias(name, alias, other)
        await admin.setAlias(name, alias, now)
        return
      case 'removed':
        await removeAlias(name, alias)
        await admin.setAlias(name, alias, now)
        return
      case 'edited':
        return edit(name, now)
      case 'made-anew':
        await makeAnew(name)
        await admin.setAlias(name, alias, now)
        return
      case 'set-before-in-chain':
        // Where one alias is asked for there is none before it.
        if (isChain) await admin.setAlias('facts', 'experiment', other)
        else await admin.setAlias(name, alias, other)
        return
      case 'other-alias':
        await admin.setAlias(name, 'staging', other)
        return
      case 'other-prompt':
        await admin.setAlias('unused', 'production', other)
        return
      case 'behind-in-chain':
        // Where one alias is asked for there is none behind it.
        if (isChain) await admin.setAlias('tone', 'production', other)
    }
  }

  async function edit(name: Name, version: number): Promise<void> {
    const value = JSON.stringify({ model_name: `m-${++written}` })
    const tag = { name, version: String(version), key: '_mlflow_prompt_model_config', value }
    expect(await post('admin', `${MLFLOW}/model-versions/set-tag`, tag)).toMatchObject({ status: 200 })
    const { digest, template } = await admin.load(name, { version })
    known.set(digest, { text: String(template), version })
  }

  const swapped = () => runs.filter(({ deed }) => SWAPS.some((swap) => swap === deed))
  const others = () => runs.filter(({ deed }) => !SWAPS.some((swap) => swap === deed))
  const found = (some: readonly Ran[], wrong: (run: Ran) => unknown) =>
    some.filter(wrong).map(({ deed, report, tags, move }) => ({ deed, reasons: report.reasons, tags, move }))

  it('were of every kind', () => {
    expect(runs).toHaveLength(RUNS)
    for (const deed of [...SWAPS, ...OTHERS])
      expect(runs.filter((run) => run.deed === deed).length, deed).toBeGreaterThan(2)
    expect(runs.filter(({ report }) => report.promptAlias.length > 1).length).toBeGreaterThan(20)
  })

  it('say of every case the texts that the model was sent', () => {
    for (const { report, sent } of runs) {
      for (const { case: one, result } of report.cases) {
        if (!result) continue
        const texts = PROMPTS.map((name) => known.get(result.prompts[name]?.digest ?? '')?.text)
        expect(sent.get(one.input ?? '')).toBe(texts.join('\n'))
      }
    }
  })

  it('log versions and digests whose texts are in the requests', () => {
    let logged = 0
    for (const { params, sent, deed } of runs) {
      for (const [place, name] of PROMPTS.entries()) {
        const digest = params[`prompt_digest.${name}`]
        // A run breaks off when an alias or a prompt is away; it may have used none by then.
        if (digest === undefined) {
          expect(['made-anew', 'removed']).toContain(deed)
          continue
        }
        const { text, version } = known.get(digest) ?? {}
        const texts = [...sent.values()].map((both) => both.split('\n')[place])
        expect(texts).toContain(text)
        expect(params[`prompt.${name}`]).toBe(`v${version}`)
        logged++
      }
    }
    expect(logged).toBeGreaterThan(2 * RUNS - 20)
  })

  it('used one text of each prompt where nothing was swapped', () => {
    for (const { params, sent } of others()) {
      const texts = PROMPTS.map((name) => known.get(params[`prompt_digest.${name}`] ?? '')?.text)
      expect(new Set(sent.values())).toEqual(new Set([texts.join('\n')]))
      expect(sent.size).toBe(CASES.length)
    }
  })

  it('are marked invalid where something was swapped, and nowhere else', () => {
    expect(found(swapped(), ({ tags }) => !tags['promptkeep.invalid'])).toEqual([])
    expect(found(swapped(), ({ report }) => report.verdict !== 'invalid')).toEqual([])
    expect(found(others(), ({ tags }) => 'promptkeep.invalid' in tags)).toEqual([])
    expect(found(others(), ({ report }) => report.verdict !== 'passed')).toEqual([])
  })

  it('are refused as evidence by the policy where something was swapped, and taken elsewhere', () => {
    expect(found(swapped(), ({ move }) => move.status !== 403)).toEqual([])
    expect(found(others(), ({ move }) => move.status !== 200)).toEqual([])
    const clauses = swapped().filter(({ deed }) => ['move', 'away-and-back'].includes(deed))
    expect(found(clauses, ({ move }) => !move.message.includes('clause "invalid"'))).toEqual([])
  })

  it('are no baseline where something was swapped, and are one elsewhere', () => {
    expect(found(swapped(), ({ baseline, report }) => baseline === report.run.id)).toEqual([])
    expect(found(others(), ({ baseline, report }) => baseline !== report.run.id)).toEqual([])
  })
})

/** The user's message and what the system's was, of a request to the model. */
function saidIn(body: Readonly<Record<string, unknown>>): [string, string] {
  const messages = body.messages as { role: string; content: string }[]
  const of = (role: string) => messages.find((message) => message.role === role)?.content ?? ''
  return [of('user'), of('system')]
}

/** Numbers from 0 to 1, the same for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
