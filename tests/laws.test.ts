import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { describe, expect, it } from 'vitest'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)))
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const sources = tracked.filter((file) => /^(packages|apps)\/[^/]+\/src\/.*\.ts$/.test(file))
const production = sources.filter((file) => !/\.test\.ts$|conformance\.ts$/.test(file))

/** Specifiers of static and dynamic imports and re-exports. */
function importsOf(file: string): string[] {
  const text = read(file)
  const found = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)]
  return found.map((match) => match[1] ?? '')
}

/** A source file and all that it imports of its own package, also with `import()`. */
function reachedFrom(entry: string): string[] {
  const seen = new Set<string>()
  const visit = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    for (const specifier of importsOf(file))
      if (specifier.startsWith('.')) visit(join(dirname(file), specifier))
  }
  visit(entry)
  return [...seen]
}

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '')

/** The folder of a package to the packages (or their sub-paths) that it may import. */
const ARROWS: Record<string, RegExp> = {
  'packages/client': /^$/,
  'packages/sql': /^$/,
  'packages/server': /^@promptkeep\/(client\/protocol|sql)$/,
  'packages/evals': /^@promptkeep\/client(\/\w+)?$/,
  'packages/cli': /^@promptkeep\/(client(\/\w+)?|evals|server)$/,
  'apps/assistant': /^@promptkeep\/(client(\/\w+)?|sql|evals)$/,
}

describe('the arrows of the house', () => {
  it.each(Object.entries(ARROWS))('%s imports only what it may', (folder, allowed) => {
    const wrong = production
      .filter((file) => file.startsWith(`${folder}/`))
      .flatMap((file) => importsOf(file).map((specifier) => ({ file, specifier })))
      .filter(
        ({ specifier }) => /^(@promptkeep\/|promptkeep($|\/))/.test(specifier) && !allowed.test(specifier),
      )
    expect(wrong).toEqual([])
  })

  it('no file reaches into another package by a path', () => {
    const wrong = sources.filter((file) => {
      // The starters of real servers are shared by all tests.
      const helpers = file.endsWith('.test.ts') ? ['/tests/support/'] : []
      const allowed = [`/${file.split('/').slice(0, 2).join('/')}/`, ...helpers]
      return importsOf(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => resolve('/', dirname(file), specifier))
        .some((path) => !allowed.some((place) => path.startsWith(place)))
    })
    expect(wrong).toEqual([])
  })

  it('libsql is reached through one guard', () => {
    const users = sources.filter((file) => importsOf(file).includes('libsql'))
    expect(users).toEqual(['packages/sql/src/sqlite.ts'])
  })

  it("the client's main entry reaches no Node module, at the start or later", () => {
    const seen = reachedFrom('packages/client/src/index.ts')
    const node = seen.filter((file) => importsOf(file).some(isBuiltin))
    expect(seen.length).toBeGreaterThan(20)
    expect(node).toEqual([])
  })

  it('the client reads the environment, and asks for what is not the web, in one file', () => {
    const notOfTheWeb =
      /\b(process|Deno|Bun)\s*(\??\.|\[)|\brequire\s*\(|import\.meta\.env|\bBuffer\b|\b__dirname\b/
    const users = reachedFrom('packages/client/src/index.ts').filter((file) =>
      notOfTheWeb.test(withoutComments(read(file))),
    )
    expect(users).toEqual(['packages/client/src/platform.ts'])
    const readers = production.filter(
      (file) => file.startsWith('packages/client/') && /process\b.*\benv\b/.test(withoutComments(read(file))),
    )
    expect(readers).toEqual(['packages/client/src/platform.ts'])
  })
})

describe('what is committed', () => {
  it('holds no machine path and no registry host', () => {
    const host = ['registry.npmjs', 'files.pythonhosted', 'pypi.org', 'deb.debian'].join('|')
    const wrong = tracked
      .filter((file) => !file.startsWith('tests/mlflow-golden/') && file !== 'tests/laws.test.ts')
      .filter((file) => !/\.(png|ico|woff2)$/.test(file))
      .filter((file) => new RegExp(`${host}|/(work|root)/[A-Za-z]`).test(read(file)))
    expect(wrong).toEqual([])
  })

  it('the lock file names no place to download from', () => {
    expect(read('package-lock.json')).not.toMatch(/"resolved": "https?:/)
  })

  it('no source keeps a note to finish it later', () => {
    const word = ['TO', 'DO'].join('')
    const wrong = sources.filter((file) => new RegExp(`\\b(${word}|FIXME|XXX)\\b`).test(read(file)))
    expect(wrong).toEqual([])
  })
})

describe('what is published', () => {
  it.each(['client', 'sql', 'server', 'evals', 'cli'])(
    'packages/%s: exports and files agree',
    async (name) => {
      const pkgDir = join(root, 'packages', name)
      const { exports } = JSON.parse(read(`packages/${name}/package.json`)) as {
        exports: Record<string, { default: string }>
      }
      for (const { default: built } of Object.values(exports)) {
        const source = built.replace('./dist/', './src/').replace(/\.js$/, '.ts')
        expect(existsSync(join(pkgDir, source)), `${name}: ${built} has a source`).toBe(true)
      }
      const { messages } = await publint({ pkgDir, pack: false })
      expect(messages.filter(({ type }) => type === 'error')).toEqual([])
    },
  )
})
