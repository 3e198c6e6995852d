import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Folders below `packages/` of everything that is published. */
export const PUBLISHED = ['client', 'sql', 'server', 'evals', 'cli'] as const
export type Published = (typeof PUBLISHED)[number]

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>
}

export const manifestOf = (folder: Published): Manifest =>
  JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8')) as Manifest

/** The names under which a user imports a package: `@promptkeep/client`, `@promptkeep/client/admin`, … */
export const entriesOf = (folder: Published): string[] => {
  const { name, exports } = manifestOf(folder)
  return Object.keys(exports).map((path) => `${name}${path.slice(1)}`)
}

export interface PackedProject {
  /** A project of its own, outside of the repository, with the packages installed from their tarballs. */
  readonly dir: string
  readonly tarballs: ReadonlyMap<Published, string>
  remove(): Promise<void>
}

/**
 * What a user gets: packs the packages as they are built, and installs the tarballs into an empty project.
 *
 * @param folders - Of packages. A package comes with those of ours that it depends on only if they are named, too.
 * @param others - Further packages, as `npm install` takes them; a path of a folder that is installed already is
 *   copied, which asks no registry.
 */
export async function installPacked(
  folders: readonly Published[],
  others: readonly string[] = [],
): Promise<PackedProject> {
  const home = await mkdtemp(join(tmpdir(), 'promptkeep-packed-'))
  const remove = () => rm(home, { recursive: true, force: true, maxRetries: 5 })
  try {
    const tarballs = await pack(folders, home)
    const dir = join(home, 'project')
    await mkdir(dir)
    await writeFile(
      join(dir, 'package.json'),
      JSON.stringify({ name: 'project', private: true, type: 'module' }),
    )
    const paths = [...tarballs.values()]
    await npm(dir, [
      ...['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'],
      ...paths,
    ])
    for (const name of others) {
      const at = join('node_modules', name)
      await cp(join(root, at), join(dir, at), { recursive: true })
    }
    return { dir, tarballs, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function pack(folders: readonly Published[], home: string): Promise<Map<Published, string>> {
  const places = folders.flatMap((folder) => ['--workspace', `packages/${folder}`])
  const printed = await npm(root, ['pack', '--json', '--pack-destination', home, ...places])
  // One npm prints a list of packages, another an object of them by name.
  const packed = Object.values(JSON.parse(printed) as Record<string, { name: string; filename: string }>)
  return new Map(
    folders.map((folder) => {
      const { name } = manifestOf(folder)
      const made = packed.find((it) => it.name === name)
      if (made === undefined) throw new Error(`npm pack made no ${name}: ${printed}`)
      return [folder, join(home, made.filename.replace(/^@/, '').replace('/', '-'))]
    }),
  )
}

/** @returns what it printed. @throws {Error} with all of that, when it fails */
export async function execute(
  file: string,
  args: readonly string[],
  options: { cwd: string; env?: Readonly<Record<string, string | undefined>>; timeoutMs?: number },
): Promise<string> {
  const { cwd, env = process.env, timeoutMs = 100_000 } = options
  const given = { cwd, env, timeout: timeoutMs, killSignal: 'SIGKILL' as const, maxBuffer: 64 * 2 ** 20 }
  try {
    return (await promisify(execFile)(file, args, given)).stdout
  } catch (error) {
    const { message, stdout, stderr, killed } = error as {
      message: string
      stdout?: string
      stderr?: string
      killed?: boolean
    }
    const why = killed ? `${file} was ended after ${timeoutMs} ms` : message.split('\n')[0]
    throw new Error(`${why}\n${stdout ?? ''}${stderr ?? ''}`)
  }
}

const npm = (cwd: string, args: readonly string[]) =>
  execute(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, { cwd })
