import { readdir, readFile } from 'node:fs/promises'
import { settings } from '@promptkeep/server'
import { describe, expect, it } from 'vitest'

const root = new URL('../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')

/** All sources of the server, as one text. */
async function sources(): Promise<string> {
  const folder = 'packages/server/src/'
  const files = await readdir(new URL(folder, root), { recursive: true })
  const production = files.filter((file) => file.endsWith('.ts') && !/test|conformance/.test(file))
  return (await Promise.all(production.map((file) => read(folder + file)))).join('\n')
}

describe('the documentation of the server', () => {
  it('has every setting, with its default and meaning', async () => {
    const text = await read('docs/configuration.md')
    const rows = settings().map((it) => `| \`${it.name}\` | \`${it.default}\` | ${it.meaning} |`)
    expect(rows.filter((row) => !text.includes(row))).toEqual([])
  })
  it('has every event of the log', async () => {
    const events = [
      ...(await sources()).matchAll(
        /'((?:server|request|database|alias|token|auth|policy|stream|live)\.[a-z_]+)'/g,
      ),
    ].map(([, event]) => event)
    const text = await read('docs/server.md')
    expect(events.length).toBeGreaterThan(5)
    expect(events.filter((event) => !text.includes(`\`${event}\``))).toEqual([])
  })
  it('has every path of ours', async () => {
    const text = await read('docs/server.md')
    const paths = [...(await sources()).matchAll(/path: '\/([a-z./]+)'/g)].map(([, path]) => path)
    expect(paths.length).toBeGreaterThan(8)
    expect(paths.filter((path) => !new RegExp(`(GET|POST) ${path}[^a-z/]`).test(text))).toEqual([])
  })
})
