import { describe, expect, it } from 'vitest'
import { repr, reprDict, reprFloat, reprList, reprSet } from './python-repr.ts'

describe('as Python prints it', () => {
  it.each([
    ['plain', "'plain'"],
    ["it's", `"it's"`],
    ['say "hi"', `'say "hi"'`],
    [`it's "it"`, `'it\\'s "it"'`],
    ['a\\b\n\t\u0001é', "'a\\\\b\\n\\t\\x01é'"],
  ])('text %j', (text, printed) => expect(repr(text)).toBe(printed))

  it.each([
    [1, '1.0'],
    [-0.5, '-0.5'],
    [1e15, '1000000000000000.0'],
    [1e22, '1e+22'],
    [Number.NaN, 'nan'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ])('the float %d', (value, printed) => expect(reprFloat(value)).toBe(printed))

  it('lists, sets and dicts of text', () => {
    expect(reprList(['a', "b'"])).toBe(`['a', "b'"]`)
    expect(reprSet(['a', 'b'])).toBe("{'a', 'b'}")
    expect(reprDict({ key: 'k', old: '1' })).toBe("{'key': 'k', 'old': '1'}")
  })
})
