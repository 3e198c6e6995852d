import { type Lineage, type Prompt, VersionNotFound } from '@promptkeep/client'
import { fingerprintOf } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import { type EvalRegistry, findHolders, parseAliasChain } from './aliases.ts'
import { type LineageRules, traceLineage } from './lineage.ts'
import type { CaseResult } from './runner.ts'

/** Knows versions 1 and 2 of everything; the digest of a version is `d<number>`. */
const registry: EvalRegistry = {
  list: async () => ({ items: [] }),
  find: async (name) => ({
    ...{ name, description: '', tags: {}, aliases: { production: 1 }, createdAt: 1, updatedAt: 1 },
  }),
  load: (async (name: string, { version }: { version: number }) => {
    if (version > 2) throw new VersionNotFound(name, version)
    return { name, version, digest: `d${version}` } as Prompt
  }) as EvalRegistry['load'],
}

const used = (version: number, more: Partial<Lineage> = {}): Lineage => ({
  version,
  digest: `d${version}`,
  alias: 'production',
  source: 'registry',
  ageMs: 0,
  ...more,
})

/** Cases `a`, `b`, … that started 50 ms into a run which began at 1000. */
const cases = (...prompts: Record<string, Lineage>[]): CaseResult[] =>
  prompts.map((lineage, index) => ({
    case: { id: 'abc'[index] ?? 'z', input: '' },
    status: 'passed',
    scores: [],
    trial: 0,
    startedAt: 1050,
    durationMs: 1,
    result: {
      output: '',
      messages: [],
      toolCalls: [],
      prompts: lineage,
      fingerprint: '',
      usage: { inputTokens: 0, outputTokens: 0, requests: 1 },
    },
  }))

const trace = (results: CaseResult[], rules: Partial<LineageRules> = {}) =>
  traceLineage(results, {
    promptAlias: ['production'],
    holders: new Map([['memory', 1]]),
    startedAt: 1000,
    registry,
    watch: { mark: { seq: 0 }, changes: async () => new Map() },
    complete: true,
    ...rules,
  })

const chain = { promptAlias: ['experiment', 'production'], holders: new Map([['memory', 2]]) }
const candidate = used(2, { alias: 'experiment' })

describe('the lineage of a run', () => {
  it('is every prompt that was used, with the cases that used it', async () => {
    const { prompts, fingerprint, problems } = await trace(
      cases({ memory: used(1), base: used(2) }, { base: used(2) }),
    )
    expect(problems).toEqual([])
    expect(prompts).toEqual({
      base: { version: 2, digest: 'd2', alias: 'production', cases: 2 },
      memory: { version: 1, digest: 'd1', alias: 'production', cases: 1 },
    })
    expect(fingerprint).toBe(
      await fingerprintOf([
        { name: 'base', version: 2, digest: 'd2' },
        { name: 'memory', version: 1, digest: 'd1' },
      ]),
    )
  })

  it.each([
    { rule: 'a registry', lineage: used(1) },
    { rule: 'a cache that is younger than the run', lineage: used(1, { source: 'cache', ageMs: 49 }) },
  ])('accepts $rule', async ({ lineage }) => {
    expect((await trace(cases({ memory: lineage }))).problems).toEqual([])
  })

  it.each([
    {
      rule: 'a cache that is older than the run',
      results: cases({ memory: used(1, { source: 'cache', ageMs: 51 }) }),
      problem: 'memory was answered from a cache older than the run in case a',
    },
    {
      rule: 'a bundled default',
      results: cases(
        { memory: used(1) },
        { memory: { version: 0, digest: 'd', source: 'default', ageMs: 0 } },
      ),
      problem: 'memory was answered from default (version 0) in case b',
    },
    {
      rule: 'a stale copy',
      results: cases({ memory: used(1, { source: 'stale' }) }),
      problem: 'memory was answered from stale (version 1) in case a',
    },
    {
      rule: 'a snapshot',
      results: cases({ memory: used(1, { source: 'snapshot' }) }),
      problem: 'memory was answered from snapshot (version 1) in case a',
    },
    {
      rule: 'a version that the registry does not know',
      results: cases({ memory: used(3) }),
      problem: 'the registry knows no version 3 of memory',
    },
    {
      rule: 'a version with another text than the registry has',
      results: cases({ memory: used(1, { digest: 'other' }) }),
      problem: 'version 1 of memory has another text in the registry',
    },
    {
      rule: 'two versions of one prompt',
      results: cases({ memory: used(1) }, { memory: used(2) }, { memory: used(2) }),
      problem: 'memory changed during the run: v1 in case a, v2 in 2 cases',
    },
    {
      rule: 'an alias that was not asked for',
      results: cases({ memory: used(1, { alias: 'staging' }) }),
      problem: 'memory was resolved by alias staging, not by production, in case a',
    },
    { rule: 'a target that reports nothing', results: cases({}), problem: 'the target reported no prompts' },
  ])('refuses $rule', async ({ results, problem }) => {
    expect((await trace(results)).problems).toContain(problem)
  })

  it('keeps the version of a snapshot or a stale copy, and the 0 of a default', async () => {
    const { prompts } = await trace(
      cases({ memory: used(0, { source: 'default' }), base: used(2, { source: 'stale' }) }),
    )
    expect([prompts.memory?.version, prompts.base?.version]).toEqual([0, 2])
  })
})

describe('the lineage of a chain', () => {
  it('takes the candidate from the first alias and the others from the second', async () => {
    const { prompts, candidates, problems } = await trace(cases({ memory: candidate, base: used(1) }), chain)
    expect(problems).toEqual([])
    expect(candidates).toEqual({ memory: { version: 2, cases: 1 } })
    expect(prompts).toMatchObject({ memory: { alias: 'experiment' }, base: { alias: 'production' } })
  })

  it('says that no case used the candidate', async () => {
    const { candidates, problems } = await trace(cases({ base: used(1) }), chain)
    expect({ candidates, problems }).toEqual({
      candidates: { memory: { version: 2, cases: 0 } },
      problems: [],
    })
  })

  it('has no candidates where every prompt must answer to one alias', async () => {
    expect((await trace(cases({ memory: used(1) }))).candidates).toEqual({})
  })

  it('expects nothing of a run that broke off', async () => {
    expect((await trace(cases({}), { ...chain, complete: false })).problems).toEqual([])
  })

  it('refuses a candidate that was passed over', async () => {
    const { problems } = await trace(cases({ memory: candidate }, { memory: used(1) }), chain)
    expect(problems).toContain('memory has alias experiment, and case b used production')
  })
})

describe('the alias of a run', () => {
  it.each([
    { text: 'experiment', want: ['experiment', 'production'] },
    { text: 'production', want: ['production'] },
    { text: 'canary, staging', want: ['canary', 'staging'] },
  ])('$text is $want', ({ text, want }) => expect(parseAliasChain(text)).toEqual(want))

  it.each(['', 'a b', 'a,,b'])('refuses %j', (text) => {
    expect(() => parseAliasChain(text)).toThrow('no alias can be named')
  })

  it('is looked for on every page of the registry', async () => {
    const info = (name: string, aliases: Record<string, number>) => ({
      name,
      description: '',
      tags: {},
      aliases,
      createdAt: 0,
      updatedAt: 0,
    })
    const list: EvalRegistry['list'] = async (page) =>
      page?.pageToken === 'next'
        ? { items: [info('memory', { experiment: 2, production: 1 })] }
        : { items: [info('base', { production: 4 })], nextPageToken: 'next' }
    const found = await findHolders({ ...registry, list }, ['experiment', 'production'])
    expect([...found]).toEqual([['memory', 2]])
    await expect(findHolders({ ...registry, list }, ['canary'])).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: "there is nothing to judge under alias canary: none of the registry's 2 prompts has it",
    })
  })
})
