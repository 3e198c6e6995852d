import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry, type Registry } from '@promptkeep/client'
import { createIo, type Effects } from '../../packages/cli/src/io.ts'
import { main } from '../../packages/cli/src/main.ts'

/** The bot of the demo, whose answers are what its prompt says. */
const TARGET = fileURLToPath(new URL('../../scripts/demo-promotion/target.ts', import.meta.url))

export const TOPICS = ['refund', 'shipping', 'returns', 'warranty', 'invoice', 'opening'] as const

/** A prompt that knows these topics. @param version - Makes the text another one. */
export const knowing = (version: string, topics: readonly string[] = TOPICS): string =>
  [`You are support, ${version}.`, ...topics.map((topic) => `About ${topic}: it is ${topic}-fact.`)].join(
    '\n',
  )

export const cases = (count: number, prompts?: readonly string[]) =>
  Array.from({ length: count }, (_, i) => {
    const topic = TOPICS[i % TOPICS.length]
    return {
      id: `${topic}-${i + 1}`,
      input: `question ${i + 1} about ${topic}`,
      expected: { contains: [`${topic}-fact`] },
      ...(prompts && { context: { prompts } }),
    }
  })

export interface PromotionFolder {
  readonly cwd: string
  /** Writes a suite and its dataset. */
  suite(name: string, cases: readonly object[], more?: object): Promise<void>
  remove(): Promise<void>
}

/** A working folder with `evals/`. */
export async function createPromotionFolder(): Promise<PromotionFolder> {
  const cwd = await mkdtemp(join(tmpdir(), 'promptkeep-promote-'))

  await mkdir(join(cwd, 'evals'))
  return {
    cwd,
    async suite(name, list, more = {}) {
      await writeFile(join(cwd, 'evals', `${name}.json`), JSON.stringify(list))
      const suite = { name, dataset: `${name}.json`, target: `${TARGET}#support`, scorers: ['contains'] }
      const rules = { threshold: 0.5, margin: 0.1, core: true, ...more }
      await writeFile(join(cwd, 'evals', `${name}.yaml`), JSON.stringify({ ...suite, ...rules }))
    },
    remove: () => rm(cwd, { recursive: true, force: true }),
  }
}

/** Once: each one listens to the streams of the process. */
const io = createIo(process)

export interface Ran {
  readonly code: 0 | 1 | 2
  readonly out: string
  readonly err: string
}

/** Runs `promptkeep <args>` in this process. */
export async function promptkeep(
  cwd: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  effects: Partial<Effects> = {},
): Promise<Ran> {
  const written = { out: '', err: '' }
  const collect = (stream: 'out' | 'err') => ({
    isTty: false,
    write(text: string) {
      written[stream] += text
    },
  })
  const code = await main(['node', 'promptkeep', ...args], {
    ...io,
    env,
    cwd,
    untilStopped: () => new Promise(() => {}),
    out: collect('out'),
    err: collect('err'),
    ...effects,
  })
  return { code, ...written }
}

/** Strict, and without a cache: what it says is so now. */
export const openRegistry = (trackingUri: string, token?: string): Registry =>
  createRegistry({
    trackingUri,
    env: token === undefined ? {} : { MLFLOW_TRACKING_TOKEN: token },
    strict: true,
    cacheTtlSeconds: 0,
    timeoutMs: 10_000,
  })
