import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type Plugin } from 'esbuild'
import { expect, it } from 'vitest'

const entry = fileURLToPath(new URL('../packages/client/src/index.ts', import.meta.url))

/** What is imported when it is first called is no part of what an app starts with. */
const lazyStaysLazy: Plugin = {
  name: 'lazy stays lazy',
  setup: ({ onResolve }) =>
    onResolve({ filter: /./ }, ({ kind }) => (kind === 'dynamic-import' ? { external: true } : undefined)),
}

async function sizeOf(plugins: Plugin[]): Promise<number> {
  const { outputFiles, warnings } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral', // a Node module or anything else that an edge worker lacks fails the build
    mainFields: ['module', 'main'],
    write: false,
    logLevel: 'silent',
    plugins,
  })
  expect(warnings).toEqual([])
  return gzipSync(outputFiles[0]?.contents ?? '').length
}

it('the main entry of the client, with all that loads need, is at most 10 kB, minified and gzipped', async () => {
  expect(await sizeOf([lazyStaysLazy])).toBeLessThanOrEqual(10_000)
})

it('with everything that it imports when it is first called, in one file, it is at most 42 kB', async () => {
  expect(await sizeOf([])).toBeLessThanOrEqual(42_000)
})
