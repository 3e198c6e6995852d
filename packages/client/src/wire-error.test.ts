import { expect, it } from 'vitest'
import { absence } from './wire-error.ts'

const on = { name: 'memory', address: 'http://a' }

it.each([
  [{ ...on, version: 2 }, 'prompt "memory" has no version 2 at http://a'],
  [{ ...on, alias: 'latest' }, 'prompt "memory" has no version at all at http://a'],
  [{ ...on, alias: 'beta' }, 'prompt "memory" has no version behind alias "beta" at http://a'],
  [on, 'prompt "memory" has no version at all at http://a'],
])('absence of a version is said in words: %j', (subject, says) => {
  expect(absence('VERSION_NOT_FOUND', subject)).toBe(says)
})
