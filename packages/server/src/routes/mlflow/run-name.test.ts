import { describe, expect, it } from 'vitest'
import { randomRunName } from './run-name.ts'

describe('the name of a run without one', () => {
  it.each([0, 0.5, 0.999_999_999])('is adjective-animal-number for every draw: %d', (drawn) => {
    expect(randomRunName(() => drawn)).toMatch(/^[a-z]+-[a-z]+-\d{1,4}$/)
  })

  it('takes each of its parts from a draw of its own', () => {
    const draws = [0, 0.5, 0.25]
    const name = randomRunName(() => draws.shift() ?? 0)
    expect(name).toMatch(/^able-[a-z]+-250$/)
    expect(name).not.toContain('-ant-')
  })
})
