import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Hono } from 'hono'
import type { Env } from '../http/guards.ts'

/** The same place from `src` and from `dist`. */
const PAGE_FOLDER = fileURLToPath(new URL('../../page/', import.meta.url))

/** All that the page is made of. */
const FILES = {
  '/': ['index.html', 'text/html'],
  '/page.css': ['page.css', 'text/css'],
  '/page.js': ['page.js', 'text/javascript'],
  '/view.js': ['view.js', 'text/javascript'],
  '/event-stream.js': ['event-stream.js', 'text/javascript'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
} as const

/** The page to chat in: files as they are, no build. */
export function pageRoutes() {
  const routes = new Hono<Env>()
  for (const [path, [file, type]] of Object.entries(FILES)) {
    routes.get(path, async (c) => {
      const text = await readFile(`${PAGE_FOLDER}${file}`, 'utf8')
      return c.body(text, 200, { 'Content-Type': `${type}; charset=utf-8`, 'Cache-Control': 'no-cache' })
    })
  }
  return routes
}
