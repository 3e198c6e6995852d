import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createRegistry } from '@promptkeep/client'
import { type BuildOptions, build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Smoke } from './runtimes/smoke.ts'
import { startGoingRegistry } from './support/going-registry.ts'
import { execute, installPacked, type PackedProject } from './support/packed.ts'
import { BUN, DENO, NODES, type Program, runtimesSkip, skipOf, WORKERD } from './support/runtimes.ts'
import { startWorker } from './support/workerd.ts'

/** What `smoke` sees on every platform that has an `AsyncLocalStorage`. */
const EXPECTED: Smoke = {
  seeded: 2,
  cold: ['registry', 1, 'Hello Ada.'],
  cached: ['cache', true],
  set: ['Bundled.', 64],
  server: 'promptkeep',
  scope: true,
  lineage: 1,
  move: [1, 2],
  live: { state: 'live', followed: ['version.registered', 'alias.moved'], source: 'cache' },
  swapped: [2, 'Bye Ada.'],
  actor: 'anonymous',
  stale: ['stale', 2],
  bundled: ['default', true],
  nobody: 'UNAVAILABLE',
  closed: 'UNAVAILABLE',
}

/** Deno gets no more than the client needs: the registry's host, and the variables that it reads. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  Deno: [
    ...['run', '--no-prompt', '--no-remote', '--allow-net=127.0.0.1'],
    '--allow-env=MLFLOW_TRACKING_URI,MLFLOW_TRACKING_USERNAME,MLFLOW_TRACKING_PASSWORD,MLFLOW_TRACKING_TOKEN,MLFLOW_WORKSPACE',
  ],
}

describe.skipIf(runtimesSkip !== '')(`the packed client ${runtimesSkip}`, { timeout: 120_000 }, () => {
  let project: PackedProject
  beforeAll(async () => {
    project = await installPacked(['client'])
    await cp(join(import.meta.dirname, 'runtimes'), join(project.dir, 'runtimes'), { recursive: true })
  }, 120_000)
  afterAll(() => project?.remove())

  /** A program of `tests/runtimes`, which finds there what is installed in the project. */
  async function bundle(file: string, options: BuildOptions = {}): Promise<string> {
    const { outputFiles, warnings, metafile } = await build({
      entryPoints: [join(project.dir, 'runtimes', file)],
      bundle: true,
      format: 'esm',
      platform: 'neutral',
      target: 'es2022',
      write: false,
      metafile: true,
      logLevel: 'silent',
      ...options,
    })
    expect(warnings).toEqual([])
    const inputs = Object.keys(metafile?.inputs ?? {}).filter((input) => !input.startsWith('<define:'))
    expect(inputs.filter((input) => !resolve(input).startsWith(project.dir))).toEqual([])
    return outputFiles?.[0]?.text ?? ''
  }

  describe.each<Program>([...NODES, BUN, DENO])('on $name', (program) => {
    const skip = skipOf(program)
    it.skipIf(skip !== '')(`does all its work, and the process ends by itself ${skip}`, async () => {
      const registry = await startGoingRegistry()
      onTestFinished(() => registry.stop())
      const at = join(project.dir, 'process.js')
      await writeFile(at, await bundle('process.ts', { external: ['@promptkeep/client'] }))
      const home = await mkdtemp(join(tmpdir(), 'promptkeep-runtime-'))
      onTestFinished(() => rm(home, { recursive: true, force: true, maxRetries: 5 }))
      const printed = await execute(
        program.file,
        [...(ARGUMENTS[program.name] ?? []), at, registry.trackingUri, registry.end],
        {
          cwd: project.dir,
          env: {
            PATH: process.env.PATH,
            HOME: home,
            DENO_DIR: home,
            DENO_NO_UPDATE_CHECK: '1',
            DO_NOT_TRACK: '1',
          },
          timeoutMs: 60_000,
        },
      )
      expect(JSON.parse(printed)).toEqual(EXPECTED)
    })
  })

  describe('on workerd', () => {
    const skip = skipOf(WORKERD)
    it.skipIf(skip !== '')(`does all its work, in one request and over several ${skip}`, async () => {
      const registry = await startGoingRegistry()
      onTestFinished(() => registry.stop())
      const { trackingUri, end } = registry
      const dir = await mkdtemp(join(tmpdir(), 'promptkeep-worker-'))
      onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }))
      const code = await bundle('worker.ts', {
        define: { PLACES: JSON.stringify({ trackingUri, end }) },
        mainFields: ['module', 'main'],
      })
      const worker = await startWorker(WORKERD.file, code, dir)
      onTestFinished(() => worker.stop())
      const ask = async (path: string): Promise<unknown> => {
        const answer = await fetch(`${worker.url}${path}`)
        const text = await answer.text()
        expect(answer.status, text).toBe(200)
        return JSON.parse(text)
      }

      const seeder = createRegistry({ trackingUri, defaults: { greeting: 'Good day.' } })
      await seeder.seed()
      await seeder.close()
      expect(await ask('/greeting')).toEqual({ text: 'Good day.', source: 'registry' })
      expect(await ask('/greeting')).toEqual({ text: 'Good day.', source: 'cache' })
      expect(await ask('/smoke')).toEqual({ ...EXPECTED, scope: false })
    })
  })
})
