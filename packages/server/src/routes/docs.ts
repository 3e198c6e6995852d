import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import type { ServerEnv } from '../env.ts'
import type { ApiDocument } from '../openapi/document.ts'
import { apiPage } from '../openapi/page.ts'
import { PAGE_STYLE } from '../openapi/page-style.ts'

/** Nothing is loaded from anywhere and no script runs; the one style sheet is known by its hash. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(PAGE_STYLE).digest('base64')}'`,
  'img-src data:', // the empty icon, so that no browser asks for one
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * Ours: the description of all routes, for programs and for people.
 *
 * @param describe - Called at the first request, when every route is mounted.
 */
export function docs(describe: () => ApiDocument) {
  let known: { document: ApiDocument; json: string } | undefined
  function description() {
    if (known === undefined) {
      const document = describe()
      known = { document, json: JSON.stringify(document) }
    }
    return known
  }
  return new Hono<ServerEnv>()
    .get('/openapi.json', (c) => c.body(description().json, 200, { 'Content-Type': 'application/json' }))
    .get('/docs', (c) => {
      c.header('Content-Security-Policy', POLICY)
      c.header('Referrer-Policy', 'no-referrer')
      return c.html(apiPage(description().document))
    })
}
