import { describe, expect, it } from 'vitest'
import { suggest } from './suggest.ts'

const NAMES = ['memory', 'memory-write', 'weather', 'orchestrator-base']

describe('suggest', () => {
  it.each([
    { given: 'memroy', want: 'did you mean memory?' },
    { given: 'Memory', want: 'did you mean memory?' },
    { given: 'memory_write', want: 'did you mean memory-write?' },
    { given: 'wether', want: 'did you mean weather?' },
    { given: 'orchestrator', want: 'did you mean orchestrator-base?' },
    { given: 'calendar', want: '' },
    { given: '', want: '' },
  ])('$given -> $want', ({ given, want }) => expect(suggest(given, NAMES)).toBe(want))
})
