import { describe, expect, it } from 'vitest'
import { createTurns } from './follow-turns.ts'

describe('turns', () => {
  function start(seq: number) {
    const done: string[] = []
    const late: (() => void)[] = []
    const turns = createTurns((_, work) => late.push(work))
    turns.begin(seq)
    const work = (what: string) => async () => {
      await new Promise(setImmediate)
      done.push(what)
    }
    const giveUp = () => {
      for (const end of late) end()
    }
    return { turns, done, work, giveUp }
  }

  it('are taken one after another', async () => {
    const { turns, done, work } = start(4)
    await Promise.all([5, 6, 7].map((seq) => turns.take(seq, work(`${seq}`))))
    expect(done).toEqual(['5', '6', '7'])
    expect(turns.seq).toBe(7)
  })

  it('what speaks of a place in the log waits for it', async () => {
    const { turns, done, work } = start(4)
    const answer = turns.at(6, work('as of 6'))
    await Promise.all([5, 6, 7].map((seq) => turns.take(seq, work(`${seq}`))))
    expect(await answer).toBe(true)
    expect(done).toEqual(['5', '6', 'as of 6', '7'])
  })

  it('what speaks of a place that is past is not done', async () => {
    const { turns, done, work } = start(4)
    const change = turns.take(5, work('5'))
    expect(await turns.at(4, work('as of 4'))).toBe(false)
    await change
    expect(done).toEqual(['5'])
  })

  it('a place that is not come to is not waited for without end', async () => {
    const { turns, done, work, giveUp } = start(4)
    const answer = turns.at(9, work('as of 9'))
    await turns.take(5, work('5'))
    giveUp()
    expect(await answer).toBe(false)
    await turns.take(9, work('9'))
    expect(done).toEqual(['5', '9'])
  })

  it('what fails at its place is the fault of who asked, and stops nobody else', async () => {
    const { turns, done, work } = start(4)
    const answer = turns.at(5, () => Promise.reject(new Error('unreadable')))
    const change = turns.take(5, work('5'))
    await expect(answer).rejects.toThrow('unreadable')
    await change
    await turns.take(6, work('6'))
    expect(done).toEqual(['5', '6'])
  })
})
