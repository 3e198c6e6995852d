import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { htmlReport, type ReportInput } from '@promptkeep/evals'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { reportOf, trialOf } from '../packages/evals/src/reports/report.fixture.ts'
import type { CaseResult } from '../packages/evals/src/runner.ts'
import { chromiumSkip, launchChromium } from './support/chromium.ts'
import { HOSTILE, hostileReport, sampleInput } from './support/report-samples.ts'

describe.skipIf(chromiumSkip)(`the HTML report ${chromiumSkip}`, { timeout: 60_000 }, () => {
  let browser: Browser
  let dir = ''
  beforeAll(async () => {
    browser = await launchChromium()
    dir = await mkdtemp(join(tmpdir(), 'promptkeep-report-'))
  })
  afterAll(async () => {
    await browser?.close()
    await rm(dir, { recursive: true, force: true })
  })

  /** The page as a browser shows it, with what it complained of and asked for. */
  async function open(input: ReportInput, width = 1280) {
    const path = join(dir, 'report.html')
    await writeFile(path, htmlReport(input))
    const page = await browser.newPage({ viewport: { width, height: 900 } })
    onTestFinished(() => page.close())
    const said: string[] = []
    const asked: string[] = []
    page.on('console', (message) => said.push(message.text()))
    page.on('pageerror', (error) => said.push(error.message))
    page.on('dialog', (dialog) => {
      said.push(dialog.message())
      void dialog.dismiss()
    })
    page.on('request', (request) => asked.push(request.url()))
    await page.goto(pathToFileURL(path).href)
    return { page, said, asked, url: pathToFileURL(path).href }
  }

  it('is whole by itself, and silent', async () => {
    const { page, said, asked, url } = await open(sampleInput())
    expect({ said, asked }).toEqual({ said: [], asked: [url] })
    expect(await page.title()).toBe('Evals')
    expect(await page.locator('h1').allTextContents()).toEqual(['Evals'])
    expect(await page.locator('h2').allTextContents()).toEqual([
      expect.stringMatching(/^tone ✗ failed$/),
      expect.stringMatching(/^routing ✓ passed$/),
      expect.stringMatching(/^tone: compared fail$/),
      'tone: how it went',
    ])
  })

  it.each([390, 1280])('needs no sideways scrolling at %i pixels', async (width) => {
    const { page } = await open(sampleInput(), width)
    for (const details of await page.locator('details').all())
      await details.evaluate((element) => element.setAttribute('open', ''))
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    expect(wide).toBeLessThanOrEqual(0)
  })

  it('says in words what its pictures show', async () => {
    const { page } = await open(sampleInput())
    const pictures = page.getByRole('img')
    expect(await pictures.count()).toBeGreaterThan(6)
    for (const label of await pictures.evaluateAll((all) => all.map((one) => one.getAttribute('aria-label'))))
      expect(label).toMatch(/^[^:]+: \S/)
    await expect(
      page.getByRole('img', { name: 'Trials: 5 passed, 2 failed, 1 errors' }).count(),
    ).resolves.toBe(1)
  })

  it('opens a case by the keyboard, and shows every trial with what it called', async () => {
    const { page } = await open(sampleInput())
    const summary = page.locator('summary', { hasText: 'a-worry' })
    await summary.focus()
    await page.keyboard.press('Enter')
    const opened = page.locator('details[open]')
    expect(await opened.count()).toBe(1)
    const text = (await opened.textContent()) ?? ''
    expect(text).toContain('Trial 2 · failed')
    expect(text).toContain('says "do not worry"')
    expect(text).toContain('ask_memory_agent')
  })

  it.each(HOSTILE)('takes %j for text wherever it stands', async (text) => {
    const { page, said, asked, url } = await open({ reports: [hostileReport(text)], title: text })
    for (const details of await page.locator('details').all())
      await details.evaluate((element) => element.setAttribute('open', ''))
    expect({ said, asked }).toEqual({ said: [], asked: [url] })
    expect(
      await page
        .locator('script, img, iframe, object, embed, form, base, link, a[href^="javascript"]')
        .count(),
    ).toBe(0)
    expect(await page.evaluate(() => Reflect.get(globalThis, 'hacked'))).toBeUndefined()
    expect(await page.locator('main > section').count()).toBe(1)
  })

  it('stays a page with a thousand cases of eight trials', async () => {
    const cases: CaseResult[] = Array.from({ length: 1000 }, (_, i) =>
      Array.from({ length: 8 }, (_, trial) =>
        trialOf(`case-${i}`, { trial, output: 'A long answer. '.repeat(1000) }),
      ),
    ).flat()
    const page = htmlReport({ reports: [reportOf({ cases, trials: 8 })] })
    expect(page.length).toBeLessThan(20_000_000)
    expect(page.includes('(14000 characters more, in the run')).toBe(true)
  })
})
