import fc from 'fast-check'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { describe, expect, it } from 'vitest'
import { junitReport } from './junit.ts'
import { failedTrial, reportOf, trialOf } from './report.fixture.ts'

const parser = new XMLParser({
  ignoreAttributes: false,
  isArray: (name) => ['testsuite', 'testcase', 'property'].includes(name),
})
const read = (xml: string) => {
  expect(XMLValidator.validate(xml)).toBe(true)
  return parser.parse(xml).testsuites
}

describe('a JUnit report', () => {
  it('has every gate and case, with counts that add up', () => {
    const cases = [
      trialOf('good'),
      failedTrial('bad', 'hello is missing'),
      trialOf('broken', {
        status: 'error',
        scores: [],
        error: { kind: 'target', message: 'no answer within 60 s' },
      }),
      trialOf('left', { status: 'not-run', startedAt: 0, durationMs: 0 }),
    ]
    const metrics = { pass_rate: 0.5, total: 4, passed: 1, failed: 1, errors: 1, not_run: 1 }
    const all = read(junitReport({ reports: [reportOf({ verdict: 'failed', metrics, cases }), reportOf()] }))
    expect(all).toMatchObject({ '@_tests': '7', '@_failures': '2', '@_errors': '1', '@_skipped': '1' })
    const [suite] = all.testsuite
    expect(suite).toMatchObject({ '@_name': 'tone', '@_tests': '5', '@_timestamp': '2023-11-14T22:13:20' })
    expect(suite.testcase.map((one: Record<string, unknown>) => one['@_name'])).toEqual([
      'gate: pass_rate ≥ 0.9',
      ...['good', 'bad', 'broken', 'left'],
    ])
    const [gate, good, bad, broken, left] = suite.testcase
    expect(gate.failure).toMatchObject({ '@_message': 'pass_rate is 0.5, and must be ≥ 0.9' })
    expect([good.failure, good.error, good.skipped]).toEqual([undefined, undefined, undefined])
    expect(bad.failure).toMatchObject({ '@_message': 'contains 0: hello is missing', '@_type': 'failed' })
    expect(broken.error['@_message']).toBe('target error: no answer within 60 s')
    expect(left.skipped['@_message']).toBe('not run')
    const property = (name: string) =>
      suite.properties.property.find((one: Record<string, unknown>) => one['@_name'] === name)['@_value']
    expect([property('prompt.base'), property('run'), property('model')]).toEqual(['v3', 'run-1', 'gpt-x'])
  })

  it('fails a case when one of its trials did, and says how many', () => {
    const cases = [
      trialOf('a'),
      failedTrial('a', 'too long', { trial: 1 }),
      failedTrial('a', 'too long', { trial: 2 }),
    ]
    const [, one] = read(junitReport({ reports: [reportOf({ cases })] })).testsuite[0].testcase
    expect(one.failure['@_message']).toBe('1 of 3 trials passed; contains 0: too long (2 times)')
    expect(one['@_time']).toBe('4.500')
  })

  it('says that a run is no evidence as an error, and judges no gate', () => {
    const reports = [reportOf({ verdict: 'invalid', reasons: ['base was answered from default'] })]
    const [suite] = read(junitReport({ reports })).testsuite
    const [verdict, gate] = suite.testcase
    expect(verdict.error['@_message']).toBe('base was answered from default')
    expect(gate.skipped['@_message']).toBe('invalid')
  })

  it('is well-formed whatever a model wrote, and keeps what XML can hold', () => {
    const nasty = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        ']]>',
        '</testcase>',
        '\u0000\u001b[31m',
        '\ud800',
        '&amp;&lt;',
        '<!--',
        '"\'',
        '\uffff',
      ),
    )
    fc.assert(
      fc.property(nasty, nasty, nasty, (reason, output, suite) => {
        const cases = [failedTrial('a', reason, { output })]
        const xml = junitReport({ reports: [reportOf({ suite, cases, model: reason })] })
        expect(XMLValidator.validate(xml)).toBe(true)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: what XML cannot hold
        expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/)
      }),
      { numRuns: 300 },
    )
    const [, one] = read(junitReport({ reports: [reportOf({ cases: [failedTrial('a', '<b> & "c" ]]>')] })] }))
      .testsuite[0].testcase
    expect(one.failure['@_message']).toBe('contains 0: <b> & "c" ]]>')
  })
})
