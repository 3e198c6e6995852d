import { describe, expect, it } from 'vitest'
import { nextPage, offsetOf, pageTokenOf } from './page-token.ts'

describe('page tokens', () => {
  it('are byte-equal to those of MLflow, and read back', () => {
    expect(pageTokenOf(1)).toBe('eyJvZmZzZXQiOiAxfQ==')
    expect(offsetOf(pageTokenOf(1234))).toBe(1234)
  })
  it('of the first page are absent or empty', () => {
    expect([offsetOf(undefined), offsetOf('')]).toEqual([0, 0])
  })
  it('are left out on the last page', () => {
    expect(nextPage(false, { offset: 0, limit: 5 })).toEqual({})
    expect(nextPage(true, { offset: 5, limit: 5 })).toEqual({ next_page_token: pageTokenOf(10) })
  })
  it('never lead before the first row', () => {
    expect(offsetOf(pageTokenOf(-1))).toBe(0)
  })
  it.each([
    ['garbage', 'Invalid page token, could not base64-decode'],
    ['e30=', 'Invalid page token, parsed value={}'],
    ['eyJvZmZzZXQiOiAieCJ9', 'Invalid page token, not stringable x'],
    ['aGVsbG8=', "Invalid page token, decoded value=b'hello'"],
    ['W10=', 'Invalid page token, parsed value=[]'],
    [btoa('{"offset": 1.5}'), 'Invalid page token, not stringable 1.5'],
  ])('%s is refused', (token, message) => {
    expect(() => offsetOf(token)).toThrow(message)
  })
})
