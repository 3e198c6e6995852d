import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** An app's own settings: strict, and no types but those that it imports. */
const CONFIG = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2023', 'dom'],
    module: 'nodenext',
    moduleResolution: 'nodenext',
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noUnusedLocals: true,
    verbatimModuleSyntax: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
  },
  include: ['src'],
}

/** Makes `dir` an app that has this repository's packages installed. */
export async function writeApp(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  const all = {
    'package.json': JSON.stringify({ name: 'app', type: 'module' }),
    'tsconfig.json': JSON.stringify(CONFIG),
    ...files,
  }
  await mkdir(dir, { recursive: true })
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules')).catch(() => undefined)
  for (const [path, text] of Object.entries(all)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), text)
  }
}

export interface CompileError {
  readonly file: string
  readonly line: number
  readonly code: string
  readonly message: string
}

export interface Compiled {
  readonly errors: readonly CompileError[]
  /** Everything that the compiler said. */
  readonly said: string
}

/** The real compiler on the app in `dir`. */
export async function tsc(dir: string, ...args: readonly string[]): Promise<Compiled> {
  const said = await new Promise<string>((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'node_modules/typescript/bin/tsc'), '-p', dir, '--pretty', 'false', ...args],
      { cwd: dir, timeout: 120_000, maxBuffer: 2 ** 26 },
      (_, out, err) => resolve(out + err),
    )
  })
  const errors = Array.from(
    said.matchAll(/^(\S+)\((\d+),\d+\): error (TS\d+): (.*)$/gm),
    ([, file = '', line = '', code = '', message = '']) => ({ file, line: Number(line), code, message }),
  )
  return { errors, said }
}
