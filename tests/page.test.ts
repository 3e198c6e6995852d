import { mkdir } from 'node:fs/promises'
import { createRegistry } from '@promptkeep/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Respond } from '../apps/assistant/src/model-endpoint.ts'
import { startAssistantWith, type TestAssistant, type TestAssistantOptions } from './support/chat-http.ts'
import { chromiumSkip, launchChromium } from './support/chromium.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

/** A folder for pictures of the page, for whoever wants to look at it. */
const SHOTS = process.env.PAGE_SCREENSHOTS

describe.skipIf(chromiumSkip !== '')(`the page ${chromiumSkip}`, () => {
  let registry: TestRegistry
  let browser: Browser

  beforeAll(async () => {
    if (SHOTS) await mkdir(SHOTS, { recursive: true })
    registry = await startRegistry()
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await registry?.stop()
  })

  const assistant = async (options: Partial<TestAssistantOptions> = {}) => {
    const started = await startAssistantWith({ trackingUri: registry.url, ...options })
    onTestFinished(() => started.stop())
    return started
  }
  const answers = (page: Page) => page.locator('.answer')
  /** What the page shows within a generous time. */
  const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 10_000 })

  async function open({ url }: TestAssistant, phone = false) {
    const context = await browser.newContext({
      viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
      colorScheme: phone ? 'dark' : 'light',
    })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    const problems: string[] = []
    page.on('pageerror', ({ message }) => problems.push(message))
    await page.goto(url)
    await answers(page).first().waitFor() // the greeting has begun
    return { page, problems }
  }
  const shoot = (page: Page, name: string) =>
    SHOTS ? page.screenshot({ path: `${SHOTS}/${name}.png` }) : undefined
  const settled = (page: Page) => page.locator('#send').waitFor()
  async function say(page: Page, message: string) {
    await page.getByLabel('Message').fill(message)
    await page.keyboard.press('Enter')
    await settled(page)
  }
  it('greets, streams, shows tools and versions, and keeps the conversation', async () => {
    const { page, problems } = await open(await assistant())
    await eventually(() => answers(page).first().textContent()).toContain('Demo model')
    await settled(page)
    await shoot(page, 'desktop-greeting')
    expect(await page.locator('#demo').isVisible()).toBe(true)

    await page.getByRole('button', { name: 'remember that my tea is Earl Grey' }).click()
    await settled(page)
    await say(page, 'what do you know about my tea?')
    const last = answers(page).last()
    expect(await last.locator('.text').textContent()).toContain('Earl Grey')
    expect(await last.locator('.tools li.ok').allTextContents()).toEqual([
      'Asking the memory agent: done',
      'Looking into memory: done',
    ])
    const chips = await last.locator('.chip').allTextContents()
    expect(chips[0]).toMatch(/^orchestrator-base@production v1(registry|cache)$/)
    expect(chips.map((chip) => chip.split('@')[0])).toEqual([
      'orchestrator-base',
      'onboarding',
      'memory',
      'memory-write',
    ])
    await shoot(page, 'desktop-answers')

    await eventually(() => page.locator('#list a[aria-current]').textContent()).toContain(
      'remember that my tea',
    )
    const shown = await page.locator('.message').allTextContents()
    await page.reload()
    await eventually(() => page.locator('.message').count()).toBe(shown.length)
    expect(await page.locator('.message').allTextContents()).toEqual(shown)
    await page.getByRole('button', { name: 'New conversation' }).click()
    await eventually(() => page.locator('.message').count()).toBe(1)
    expect(problems).toEqual([])
  })

  it('shows the version that an alias names now', async () => {
    const { page } = await open(await assistant({ env: { PROMPT_CACHE_TTL_SECONDS: '0' } }))
    const client = createRegistry({ trackingUri: registry.url, env: {}, cacheTtlSeconds: 0 })
    onTestFinished(() => client.close())
    await settled(page)
    const { version } = await client.register({ name: 'orchestrator-base', template: 'Tone: like a sailor' })
    await client.setAlias('orchestrator-base', 'production', version)
    onTestFinished(async () => {
      await client.setAlias('orchestrator-base', 'production', 1)
    })
    await eventually(async () => {
      await say(page, 'hello')
      return answers(page).last().textContent()
    }).toMatch(new RegExp(`like a sailor.*orchestrator-base@production v${version}`, 's'))
  })

  it('marks bundled texts, and says that the registry is away', async () => {
    const { page } = await open(await assistant({ trackingUri: 'http://127.0.0.1:1' }))
    await settled(page)
    await eventually(() => page.locator('.chip.fallback').allTextContents()).toEqual([
      'orchestrator-base bundled defaultfallback',
      'onboarding bundled defaultfallback',
    ])
    await eventually(() => page.locator('#registry').textContent()).toBe('Prompt registry does not answer')
    await shoot(page, 'desktop-fallback')
  })

  const slowly: Respond = () => ({ content: 'word '.repeat(1000), pauseMs: 5 })

  it('stops an answer by button and by Escape, and keeps what was said', async () => {
    const { page } = await open(await assistant({ respond: slowly }))
    for (const stop of [
      () => page.getByRole('button', { name: 'Stop' }).click(),
      () => page.keyboard.press('Escape'),
    ]) {
      await page.getByLabel('Message').fill('talk')
      await page.keyboard.press('Enter')
      await eventually(() => answers(page).last().locator('.text').textContent()).toMatch(/word word/)
      await stop()
      await settled(page)
      expect(await answers(page).last().locator('.note').textContent()).toBe('Stopped.')
    }
    await eventually(async () => {
      await page.reload()
      await settled(page)
      return page.locator('.note').allTextContents()
    }).toEqual(['Stopped.', 'Stopped.'])
  })

  it('shows an answer as text, whatever it holds', async () => {
    const markup = '<img src=x onerror="document.title=1"><b>bold</b>'
    const { page } = await open(await assistant({ respond: () => ({ content: markup }) }))
    await settled(page)
    await say(page, '<i>mine</i>')
    expect(await answers(page).last().locator('.text').textContent()).toBe(markup)
    expect(await page.locator('.message img, .message b, .message i').count()).toBe(0)
    expect(await page.title()).toBe('Assistant')
  })

  it('says what went wrong, and tries again when asked', async () => {
    let isBroken = false
    const respond: Respond = () => (isBroken ? { status: 400, message: 'no' } : { content: 'Here I am.' })
    const { page } = await open(await assistant({ respond }))
    await settled(page)
    isBroken = true
    await say(page, 'hello')
    const problem = page.getByRole('alert')
    expect(await problem.textContent()).toContain('language model')
    await shoot(page, 'desktop-problem')
    isBroken = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await eventually(() => answers(page).last().locator('.text').textContent()).toBe('Here I am.')
    expect(await problem.count()).toBe(0)
  })

  it('says so when the assistant is gone', async () => {
    const gone = await startAssistantWith({ trackingUri: registry.url })
    const { page } = await open(gone)
    await settled(page)
    await gone.stop()
    await say(page, 'hello')
    expect(await page.getByRole('alert').textContent()).toContain('cannot be reached')
    await eventually(() => page.locator('#registry').textContent()).toBe('Not connected')
  })

  it('ends the introductions when asked', async () => {
    const started = await assistant()
    const { page } = await open(started)
    await page.getByRole('button', { name: 'Skip introductions' }).click()
    await settled(page)
    await say(page, 'hello')
    expect(await answers(page).last().locator('.chip').allTextContents()).toContainEqual(
      expect.stringContaining('proactive-greeting@production'),
    )
  })

  it('fits a phone: nothing is cut off, and the list opens and closes', async () => {
    const { page } = await open(await assistant(), true)
    await settled(page)
    await shoot(page, 'phone-greeting')
    await say(page, `remember that ${'pneumonoultramicroscopicsilicovolcanoconiosis'.repeat(3)} is long`)
    await shoot(page, 'phone-answer')
    const width = await page.evaluate(() => document.documentElement.scrollWidth)
    expect(width).toBeLessThanOrEqual(390)
    const list = page.getByRole('navigation', { name: 'Conversations' })
    expect(await list.isVisible()).toBe(false)
    const toggle = page.getByRole('button', { name: 'Conversations' })
    await toggle.click()
    await eventually(() => list.isVisible()).toBe(true)
    await shoot(page, 'phone-list')
    await page.keyboard.press('Escape')
    await eventually(() => list.isVisible()).toBe(false)
    expect(await toggle.evaluate((button) => button === document.activeElement)).toBe(true)
  })

  it('is reached by keyboard alone, everything named', async () => {
    const { page } = await open(await assistant())
    await settled(page)
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll('button, a, textarea')]
        .filter((node) => {
          const label = document.querySelector(`label[for="${node.id}"]`)
          return !(node.getAttribute('aria-label') ?? label?.textContent ?? node.textContent)?.trim()
        })
        .map((node) => node.outerHTML),
    )
    expect(unnamed).toEqual([])
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('message')
    await page.keyboard.press('Shift+Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('weather in Oslo')
    await page.keyboard.press('Enter')
    await settled(page)
    expect(await page.locator('.user').textContent()).toContain('weather in Oslo')
  })
})
