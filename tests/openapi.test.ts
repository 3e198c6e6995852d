import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MAY, PERMISSIONS } from '../packages/server/src/auth/permissions.ts'
import { chromiumSkip, launchChromium } from './support/chromium.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const OWN = '/api/promptkeep/1.0'

interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly 'x-roles'?: readonly string[]
  readonly responses?: Readonly<Record<string, { readonly content?: object }>>
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[]
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: { readonly properties?: object } }>>
  }
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>

let server: TestRegistry
let paths: Paths
beforeAll(async () => {
  server = await startRegistry()
  const answer = await fetch(`${server.url}${OWN}/openapi.json`)
  paths = ((await answer.json()) as { paths: Paths }).paths
})
afterAll(() => server?.stop())

const operations = () =>
  Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, one]) => ({ route: `${method.toUpperCase()} ${path}`, ...one })),
  )

describe('the OpenAPI document', () => {
  it('is valid', async () => {
    const document = (await (await fetch(`${server.url}${OWN}/openapi.json`)).json()) as Record<
      string,
      unknown
    >
    expect(await new Validator().validate(document)).toMatchObject({ valid: true })
  })
  it('has every route that has a permission, and no other', () => {
    const routes = [...PERMISSIONS.keys()].filter((route) => !route.includes(' /ajax-api/'))
    expect(
      operations()
        .map(({ route }) => route)
        .sort(),
    ).toEqual(routes.sort())
  })
  it('says which roles may call every route, as the table of permissions has it', () => {
    for (const { route, 'x-roles': roles } of operations()) {
      const permission = PERMISSIONS.get(route)
      expect([route, roles]).toEqual([route, permission === 'open' ? undefined : MAY[permission ?? 'admin']])
    }
  })
  it('tells of the stream beside the list of changes', () => {
    const { responses } = paths[`${OWN}/changes`]?.get ?? {}
    expect(Object.keys(responses?.['200']?.content ?? {})).toEqual(['application/json', 'text/event-stream'])
  })
  it('says what every route does and what every field of a request means', () => {
    const untold = operations().flatMap(({ route, summary, parameters = [], requestBody }) => {
      const properties = requestBody?.content['application/json']?.schema.properties ?? {}
      const fields = [
        ...parameters.map(({ name, description }) => [name, description]),
        ...Object.entries(properties).map(([name, { description }]) => [name, description]),
      ]
      return [
        ...(summary ? [] : [route]),
        ...fields.flatMap(([name, text]) => (text ? [] : [`${route} ${name}`])),
      ]
    })
    expect(untold).toEqual([])
  })
  it('has one id for each operation', () => {
    const ids = operations().map(({ operationId }) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe.skipIf(chromiumSkip)(`the page ${chromiumSkip}`, () => {
  it.each([1280, 390])(
    'fits into %i pixels, has every route, and its policy refuses none of it',
    async (width) => {
      const browser = await launchChromium()
      try {
        const page = await browser.newPage({ viewport: { width, height: 844 } })
        const said: string[] = []
        page.on('console', (message) => said.push(message.text()))
        await page.goto(`${server.url}${OWN}/docs`)
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
        expect(await page.locator('article').count()).toBe(operations().length)
        expect(said).toEqual([])
      } finally {
        await browser.close()
      }
    },
  )
})
