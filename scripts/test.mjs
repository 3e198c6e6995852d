// `npm test`: everything that a fresh machine can run. Tests that need more say so and are skipped here.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureReady, root } from './setup.mjs'

ensureReady()
const bin = (name) => join(root, 'node_modules', '.bin', name)
const steps =
  process.argv.length > 2
    ? [[bin('vitest'), ['run', ...process.argv.slice(2)]]]
    : [
        [bin('biome'), ['check', '--error-on-warnings', '.']],
        [bin('tsc'), ['-p', 'tsconfig.tests.json']],
        [bin('knip'), ['--no-progress']],
        [
          bin('vitest'),
          ['run', '--reporter=default', '--reporter=json', '--outputFile.json=.cache/results/test.json'],
        ],
      ]
for (const [command, args] of steps) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}
