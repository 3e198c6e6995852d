import { describe, expect, it } from 'vitest'
import {
  aliasName,
  modelName,
  modelTag,
  settableAlias,
  stageName,
  versionNumber,
  versionTag,
} from './rules.ts'

const said = (check: () => unknown): string | undefined => {
  try {
    check()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

describe('names', () => {
  it.each(['a', 'with space', 'prömpt ☕', '.a', 'x'.repeat(1000), '😀'.repeat(600)])('%s is one', (name) => {
    expect(modelName(name)).toBe(name)
  })
  it.each([
    ['', "Missing value for required parameter 'name'."],
    ['a/b', "Invalid model name 'a/b'. Names cannot contain '/' or ':'."],
    ['...', /This name would resolve to '\.\.\.'$/],
    ['..', /This name would resolve to '\.\.'$/],
    ['x'.repeat(1001), "'name' exceeds the maximum length of 1000 characters"],
    ['😀'.repeat(700), "'name' exceeds the maximum length of 2600 bytes"],
  ])('%s is none', (name, message) => {
    expect(said(() => modelName(name))).toMatch(message)
  })
})

describe('aliases', () => {
  it.each(['prod', '7', 'vx', 'é', 'a_b-c', 'x'.repeat(255)])('%s may be set', (alias) => {
    expect(settableAlias(alias)).toBe(alias)
  })
  it('latest may be asked for, not set', () => {
    expect(aliasName('latest')).toBe('latest')
    expect(said(() => settableAlias('latest'))).toContain('reserved')
  })
  it.each(['a b', 'a.b', 'a/b', 'a\n', 'x'.repeat(256), 'v1', 'V٣'])('%j may not be set', (alias) => {
    expect(said(() => settableAlias(alias))).toMatch(/alias/)
  })
})

describe('versions', () => {
  it.each([
    ['1', 1],
    ['01', 1],
    ['+7', 7],
    [' 3 ', 3],
    ['2147483647', 2_147_483_647],
  ])('%j is version %i', (text, number) => {
    expect(versionNumber('p', text)).toBe(number)
  })
  it.each(['0', '-1', '2147483648', '9007199254740991'])('%s cannot exist', (text) => {
    expect(said(() => versionNumber('p', text))).toBe(`Model Version (name=p, version=${text}) not found`)
  })
  it.each(['abc', '1.0', '', '1e3', '0x1', '9007199254740993'])('%j is no number', (text) => {
    expect(said(() => versionNumber('p', text))).toMatch(/^Parameter 'version' must be/)
  })
})

describe('tags', () => {
  it.each(['k', 'a/b', 'mlflow.prompt.text', 'k-x.y z', 'ключ', 'a:b', 'k'.repeat(250)])(
    '%s may be a key',
    (key) => {
      expect(said(() => modelTag(key, ''))).toBeUndefined()
      expect(said(() => versionTag(key, ''))).toBeUndefined()
    },
  )
  it.each(['', '.', '..', '../x', '/abs', 'a//b', 'a/', 'a/./b', 'a?b', 'a\n', 'k'.repeat(251)])(
    '%j may not',
    (key) => {
      expect(said(() => modelTag(key, ''))).toMatch(/'key'/)
      expect(said(() => versionTag(key, ''))).toMatch(/'key'/)
    },
  )
  it('have values of 100,000 characters at most, counted as Python counts', () => {
    expect(said(() => modelTag('k', '😀'.repeat(100_000)))).toBeUndefined()
    expect(said(() => modelTag('k', '😀'.repeat(100_001)))).toBe(
      "'value' exceeds the maximum length of 100000 characters",
    )
    expect(said(() => versionTag('mlflow.prompt.text', 'x'.repeat(100_001)))).toBe(
      'Prompt text exceeds max length of 100000 characters.',
    )
  })
})

it('stages are four, in any case', () => {
  expect(['none', 'STAGING', 'Production', 'archived'].map(stageName)).toEqual([
    'None',
    'Staging',
    'Production',
    'Archived',
  ])
  expect(said(() => stageName('Foo'))).toBe(
    'Invalid Model Version stage: Foo. Value must be one of None, Staging, Production, Archived.',
  )
})
