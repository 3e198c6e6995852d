import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'

const entry = fileURLToPath(new URL('../packages/client/src/index.ts', import.meta.url))

it('the main entry of the client is at most 18 kB, minified and gzipped, with all that it needs', async () => {
  const { outputFiles, warnings } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral', // a Node module or anything else that an edge worker lacks fails the build
    mainFields: ['module', 'main'],
    write: false,
    logLevel: 'silent',
  })
  expect(warnings).toEqual([])
  expect(gzipSync(outputFiles[0]?.contents ?? '').length).toBeLessThanOrEqual(18_000)
})
