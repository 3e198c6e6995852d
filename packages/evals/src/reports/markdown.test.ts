import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MARKDOWN_LIMIT, markdownReport } from './markdown.ts'
import { failedTrial, reportOf, trialOf } from './report.fixture.ts'

describe('a Markdown summary', () => {
  it('says the verdict first, then gates, prompts and what did not pass', () => {
    const cases = [
      trialOf('good'),
      failedTrial('bad', 'hello is missing'),
      failedTrial('bad', 'too long', { trial: 1 }),
    ]
    const metrics = { pass_rate: 0.5, total: 3, passed: 1, failed: 2, errors: 0, not_run: 0, cost_usd: 0.034 }
    const text = markdownReport({
      reports: [reportOf({ verdict: 'failed', reasons: ['pass_rate is below 0.9'], metrics, cases })],
    })
    const lines = text.split('\n')
    expect(lines[0]).toBe('## Evals: ❌ failed')
    expect(lines).toContain('| tone | ❌ failed | ✗ pass\\_rate 0.5 (≥ 0.9) | 1 of 3 | $0.03 |')
    expect(lines).toContain('- Prompts: **base v3 (experiment)**')
    expect(lines).toContain('<details><summary>1 case did not pass</summary>')
    expect(lines).toContain('| bad | 0/2 | contains 0: hello is missing; contains 0: too long |')
  })

  it('counts suites when there are several', () => {
    const reports = [reportOf(), reportOf({ suite: 'b', verdict: 'invalid' }), reportOf({ suite: 'c' })]
    expect(markdownReport({ reports })).toMatch(/^## Evals: 2 ✅ passed, 1 ⚠️ no verdict\n/)
  })

  it('shows twenty cases, the worst first, and counts the rest', () => {
    const cases = Array.from({ length: 25 }, (_, i) => [
      i < 3 ? failedTrial(`c${i}`, 'x') : trialOf(`c${i}`),
      failedTrial(`c${i}`, 'x', { trial: 1 }),
    ]).flat()
    const text = markdownReport({ reports: [reportOf({ cases })] })
    expect(text).toContain('25 cases did not pass')
    expect(text.match(/^\| c\d+ \|/gm)?.slice(0, 4)).toEqual(['| c0 |', '| c1 |', '| c2 |', '| c3 |'])
    expect(text).toContain('| … | | and 5 more |')
  })

  it.each([
    { what: 'HTML', text: '<img src=x onerror=alert(1)>', not: /<img/ },
    { what: 'a mention', text: 'ask @octocat or @org/team', not: /@\w/ },
    { what: 'an issue', text: 'see #12 and GH-3', not: /#\d|GH-\d/ },
    {
      what: 'a link',
      text: '[click](https://evil.example) https://evil.example',
      not: /\]\(|[^\\]\[|:\/\/e/,
    },
    { what: 'a table', text: 'a | b\n|---|', not: /[^\\]\| b/ },
    { what: 'code', text: '```js\nx\n```', not: /```/ },
    { what: 'the end of details', text: '</details><summary>', not: /<summary>[^0-9]/ },
  ])('takes no $what from a model', ({ text, not }) => {
    const out = markdownReport({ reports: [reportOf({ cases: [failedTrial('a', text)] })] })
    const row = out.split('\n').find((line) => line.startsWith('| a |')) as string
    expect(row).not.toMatch(not)
    expect(row.replace(/\\\|/g, '').split('|')).toHaveLength(5)
  })

  it('is never longer than GitHub takes', () => {
    const long = fc.string({ minLength: 0, maxLength: 3000, unit: 'binary' })
    fc.assert(
      fc.property(
        fc.array(long, { minLength: 1, maxLength: 400 }),
        fc.integer({ min: 1, max: 40 }),
        (reasons, suites) => {
          const cases = reasons.map((reason, i) => failedTrial(`case-${i}`, reason))
          const report = reportOf({ verdict: 'failed', reasons, cases })
          const text = markdownReport({ reports: Array.from({ length: suites }, () => report) })
          expect(text.length).toBeLessThanOrEqual(MARKDOWN_LIMIT)
          expect(text.match(/<details>/g)?.length).toBe(text.match(/<\/details>/g)?.length)
        },
      ),
      { numRuns: 40 },
    )
    const many = markdownReport({ reports: Array.from({ length: 3000 }, () => reportOf()) })
    expect(many.length).toBeLessThanOrEqual(MARKDOWN_LIMIT)
  })
})
