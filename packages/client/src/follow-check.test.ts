import { expect, it } from 'vitest'
import { createCheck } from './follow-check.ts'
import { createTurns } from './follow-turns.ts'
import type { KnownAlias, LiveCache } from './live-cache.ts'

const kept: KnownAlias = {
  name: 'memory',
  alias: 'production',
  version: 1,
  digest: 'x',
  usedAt: 0,
  confirmedAt: 0,
}

const wire = (version: number) => ({
  name: 'memory',
  version: String(version),
  creation_timestamp: 1,
  last_updated_timestamp: 1,
  tags: [
    { key: 'mlflow.prompt.is_prompt', value: 'true' },
    { key: 'mlflow.prompt.text', value: `text ${version}` },
  ],
})

/** A check against a server that answers as it is told, and what it did to the cache. */
function start(seq: number, answer: (asked: { etag: string | null; count: number }) => Response) {
  const said: string[] = []
  let count = 0
  const cache = {
    aliases: () => [kept],
    said: async (name, alias, { version }) => void said.push(`${name}@${alias} ${version}`),
    confirmed: (name, alias) => void said.push(`${name}@${alias} as before`),
    removed: (name, alias) => void said.push(`${name}@${alias} gone`),
  } satisfies Partial<LiveCache> as unknown as LiveCache
  const turns = createTurns(() => {})
  turns.begin(seq)
  const check = createCheck({
    connection: { address: 'http://registry', scope: '', headers: {} },
    fetch: async (_, init) =>
      answer({ etag: new Headers(init?.headers).get('if-none-match'), count: ++count }),
    cache,
    turns,
    signal: new AbortController().signal,
  })
  return { check, turns, said, asked: () => count }
}

const all = (version: number, seq: number) =>
  Response.json(
    { seq, prompts: [{ name: 'memory', alias: 'production', model_version: wire(version) }], missing: [] },
    { headers: { etag: `"${version}"`, 'promptkeep-seq': String(seq) } },
  )
const asBefore = (seq: number) =>
  new Response(null, { status: 304, headers: { 'promptkeep-seq': String(seq) } })

it('an answer from before a change that was heard is asked for again', async () => {
  const { check, said, asked } = start(8, ({ count }) => (count === 1 ? all(1, 7) : all(2, 8)))
  await check.run()
  expect(said).toEqual(['memory@production 2'])
  expect(asked()).toBe(2)
})

it('an answer that knows more than was heard waits until it was heard', async () => {
  const { check, turns, said } = start(8, () => all(3, 9))
  const running = check.run()
  await new Promise(setImmediate)
  expect(said).toEqual([])
  await turns.take(9, async () => void said.push('change 9'))
  await running
  expect(said).toEqual(['change 9', 'memory@production 3'])
})

it('what is as before costs no body', async () => {
  const { check, said } = start(8, ({ etag }) => (etag === '"1"' ? asBefore(8) : all(1, 8)))
  await check.run()
  await check.run()
  expect(said).toEqual(['memory@production 1', 'memory@production as before'])
})

it('what was touched since is not taken for as before', async () => {
  const { check, said } = start(8, ({ etag }) => (etag === '"1"' ? asBefore(8) : all(1, 8)))
  await check.run()
  check.touched('memory')
  await check.run()
  expect(said).toEqual(['memory@production 1', 'memory@production 1'])
})
