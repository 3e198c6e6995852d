import { describe, expect, it } from 'vitest'
import { suggest } from './suggest.ts'

const NAMES = ['memory', 'memory-write', 'weather', 'orchestrator-base']

describe('suggest', () => {
  it.each([
    { given: 'memroy', want: 'Did you mean memory?' },
    { given: 'Memory', want: 'Did you mean memory?' },
    { given: 'memory_write', want: 'Did you mean memory-write?' },
    { given: 'wether', want: 'Did you mean weather?' },
    { given: 'orchestrator', want: 'Did you mean orchestrator-base?' },
    { given: 'calendar', want: '' },
    { given: '', want: '' },
  ])('$given -> $want', ({ given, want }) => expect(suggest(given, NAMES)).toBe(want))

  it('takes no more slips than it is told', () => {
    expect(suggest('memroy', NAMES, 1)).toBe('Did you mean memory?')
    expect(suggest('memroyy', NAMES, 1)).toBe('')
  })
})
