import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { build, transform } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  entriesOf,
  execute,
  installPacked,
  manifestOf,
  type PackedProject,
  PUBLISHED,
} from './support/packed.ts'
import { ATTW, COMPILERS, runtimesSkip } from './support/runtimes.ts'

const RESOLUTIONS = [
  { resolution: 'nodenext', module: 'nodenext' },
  { resolution: 'bundler', module: 'esnext' },
]
/** Optional peers of the client, and what Node's types need: a user who imports the sub-path has them. */
const PEERS = ['zod', '@opentelemetry/api']
const NODE_TYPES = ['@types/node', 'undici-types']

describe.skipIf(runtimesSkip !== '')(`the packed packages ${runtimesSkip}`, { timeout: 120_000 }, () => {
  let project: PackedProject
  beforeAll(async () => {
    project = await installPacked(PUBLISHED, [...PEERS, ...NODE_TYPES])
  }, 120_000)
  afterAll(() => project?.remove())

  it.each(PUBLISHED)('%s: publint finds nothing', async (folder) => {
    const pkgDir = join(project.dir, 'node_modules', entriesOf(folder)[0] ?? '')
    const { messages, pkg } = await publint({ pkgDir, pack: false, strict: true })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  it.each(PUBLISHED)('%s: the types of every entry point are right', async (folder) => {
    const given = ['--profile', 'esm-only', '--format', 'json', project.tarballs.get(folder) ?? '']
    const printed = await execute(process.execPath, [ATTW, ...given], { cwd: project.dir })
    const { analysis, problems } = JSON.parse(printed) as {
      analysis: { entrypoints: Record<string, unknown> }
      problems?: Record<string, unknown>
    }
    expect(Object.keys(analysis.entrypoints)).toHaveLength(entriesOf(folder).length)
    // What the profile leaves out is listed all the same: an ESM package cannot be `require`d by older Nodes.
    const left = Object.keys(problems ?? {}).filter((kind) => !ESM_ONLY.includes(kind))
    expect(left).toEqual([])
  })

  it.each(PUBLISHED)(
    '%s: brings its licence, a page about it, and the sources that its maps name',
    async (folder) => {
      const pkgDir = join(project.dir, 'node_modules', manifestOf(folder).name)
      const files = new Set(await readdir(pkgDir, { recursive: true }))
      expect([...files]).toEqual(expect.arrayContaining(['LICENSE', 'README.md']))
      const maps = [...files].filter((file) => file.endsWith('.map'))
      expect(maps.length).toBeGreaterThan(0)
      const missing: string[] = []
      for (const map of maps) {
        const { sources } = JSON.parse(await readFile(join(pkgDir, map), 'utf8')) as { sources: string[] }
        for (const named of sources.map((named) => join(dirname(map), named)))
          if (!files.has(named)) missing.push(named)
      }
      expect(missing).toEqual([])
      expect([...files].filter((file) => /\.test\.|\.fixture\.|conformance/.test(file))).toEqual([])
    },
  )

  it("the client's main entry is built for any platform: all that it reaches, and no module of Node", async () => {
    const { metafile, warnings } = await build({
      stdin: { contents: "export * from '@promptkeep/client'", resolveDir: project.dir },
      bundle: true,
      format: 'esm',
      platform: 'neutral', // a module of Node fails here
      mainFields: ['module', 'main'],
      metafile: true,
      write: false,
      logLevel: 'silent',
    })
    expect(warnings).toEqual([])
    const inputs = Object.keys(metafile.inputs)
    for (const later of ['follow.js', 'run.js', 'seeder.js'])
      expect(inputs.filter((input) => input.endsWith(`/dist/${later}`))).toHaveLength(1)
    const readers = []
    for (const input of inputs.filter((input) => input.includes('@promptkeep/client')))
      if (/\bprocess\b|getBuiltinModule/.test(await codeOf(input))) readers.push(basename(input))
    expect(readers).toEqual(['platform.js'])
  })

  describe.each(COMPILERS)('$name', ({ name, file }) => {
    const compile = async (source: string, options: Record<string, unknown>) => {
      const at = `${crypto.randomUUID()}`
      await writeFile(join(project.dir, `${at}.ts`), source)
      const config = {
        compilerOptions: { target: 'es2022', strict: true, noEmit: true, ...options },
        files: [`${at}.ts`],
      }
      await writeFile(join(project.dir, `${at}.json`), JSON.stringify(config))
      return execute(process.execPath, [file, '-p', `${at}.json`], { cwd: project.dir })
    }
    const importing = (folders: readonly (typeof PUBLISHED)[number][]) =>
      folders
        .flatMap(entriesOf)
        .map((entry, i) => `import * as all${i} from '${entry}'\nvoid all${i}`)
        .join('\n')

    describe.each(RESOLUTIONS)('moduleResolution $resolution', ({ resolution, module }) => {
      const shared = { module, moduleResolution: resolution, skipLibCheck: false }

      it("checks a program that uses the client, and the client's own types, without Node's", async () => {
        const source = `${USER}\n${importing(['client'])}`
        expect(await compile(source, { ...shared, lib: ['es2022', 'dom'], types: [] })).toBe('')
      })
      it("checks it with Node's types and without the browser's", async () => {
        expect(await compile(USER, { ...shared, lib: ['es2022'], types: ['node'] })).toBe('')
      })
      it('finds a mistake in it', async () => {
        const wrong = `${USER}\nconst text: string = prompt.version`
        const options = { ...shared, lib: ['es2022', 'dom'], types: [] }
        await expect(compile(wrong, options)).rejects.toThrow(/TS2322.*number.*string/)
      })
      it('knows the right uses of a typed registry from the wrong ones', async () => {
        const uses = await readFile(join(import.meta.dirname, 'types/typed-registry.ts'), 'utf8')
        expect(await compile(uses, { ...shared, lib: ['es2022', 'dom'], types: [] })).toBe('')
      })
      it('checks a program that imports all packages', async () => {
        // The types of hono need TypeScript 5.7: with 5.6 the files of others are not looked at.
        const skipLibCheck = name === 'TypeScript 5.6'
        const options = { ...shared, lib: ['es2022', 'dom'], types: ['node'], skipLibCheck }
        expect(await compile(importing(PUBLISHED), options)).toBe('')
      })
    })
  })
})

/** Without comments. */
const codeOf = async (file: string) =>
  (await transform(await readFile(file, 'utf8'), { minifySyntax: true, legalComments: 'none' })).code

/** What `attw` calls the two that `esm-only` allows. */
const ESM_ONLY = ['NoResolution', 'CJSResolvesToESM']

const USER = `
import { createRegistry, type Prompt, type Registry, RegistryError } from '@promptkeep/client'

const registry: Registry = createRegistry({ defaults: { greeter: 'Hello {{ who }}' } })
export const prompt: Prompt = await registry.load('greeter', { alias: ['experiment', 'production'] })
export const text: string = prompt.format({ who: 'Ada' }).toString()
export const version: number = prompt.version
const set = await registry.loadSet(['greeter', 'memory'])
export const digest: string | undefined = set.versions.greeter?.digest
const maybe = await registry.load('greeter', { allowMissing: true })
export const source = maybe?.source satisfies 'cache' | 'registry' | 'stale' | 'default' | 'snapshot' | undefined
await registry.setAlias('greeter', 'production', 2, { expected: 1, reason: 'better' }).catch((error: unknown) => {
  if (!(error instanceof RegistryError) || error.code !== 'CONFLICT') throw error
})
`
