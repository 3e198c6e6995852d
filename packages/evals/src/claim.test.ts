import { describe, expect, it } from 'vitest'
import { createClaims } from './claim.ts'
import { createMemoryTracking } from './memory-tracking.fixture.ts'

const SUBJECT = ['memory', 'v2']

function open() {
  const tracking = createMemoryTracking()
  const clock = { now: 1000 }
  const claims = () =>
    createClaims({
      ...{ tracking, experiment: 'watch', now: () => clock.now, signal: new AbortController().signal },
      ...{ settleMs: 5, beatMs: 10 },
    })
  return { tracking, clock, claims }
}

describe('claims', () => {
  it('are held by one of several that ask at once', async () => {
    const { claims } = open()
    const all = await Promise.all(Array.from({ length: 5 }, () => claims().take('work', SUBJECT, 0)))
    expect(all.map(({ state }) => state).sort()).toEqual(['ours', 'taken', 'taken', 'taken', 'taken'])
    for (const one of all) if (one.state === 'ours') await one.release('passed')
    expect(await claims().take('work', SUBJECT, 0)).toEqual({ state: 'done', outcome: 'passed' })
    expect(await claims().take('work', ['memory', 'v3'], 0)).toMatchObject({ state: 'ours' })
  })

  it('are free again when nothing came of them, or what came of them is too old', async () => {
    const { clock, claims } = open()
    const first = await claims().take('work', SUBJECT, 0)
    if (first.state === 'ours') await first.release(undefined)
    const second = await claims().take('work', SUBJECT, 0)
    if (second.state === 'ours') await second.release('passed')
    expect([first.state, second.state]).toEqual(['ours', 'ours'])
    expect(await claims().take('work', SUBJECT, clock.now + 1)).toMatchObject({ state: 'ours' })
  })

  it('pass on from a holder that shows no life, and from no other', async () => {
    const { tracking, clock, claims } = open()
    await tracking.startRun({ experiment: 'watch', name: 'dead', tags: {}, startedAt: 0 })
    const holder = await claims().take('work', SUBJECT, 0)
    const other = claims()
    expect(await other.take('work', SUBJECT, 0)).toEqual({ state: 'taken' })
    const held = tracking.runs.find(({ tags }) => tags['promptkeep.claim.held'] !== undefined)
    if (!held || holder.state !== 'ours') throw new Error('nobody holds it')
    clock.now += 39
    held.tags['promptkeep.claim.beat'] = 'alive'
    expect(await other.take('work', SUBJECT, 0)).toEqual({ state: 'taken' })
    await holder.release(undefined)
    held.status = 'RUNNING' // as one that was killed: it never ended, and beats no more
    expect(await other.take('work', SUBJECT, 0)).toEqual({ state: 'taken' })
    clock.now += 40
    expect(await other.take('work', SUBJECT, 0)).toMatchObject({ state: 'ours' })
  })
})
