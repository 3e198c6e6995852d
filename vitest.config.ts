import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Tests read the sources, not `dist`: a test run needs no build, except where it starts a real process. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@promptkeep\/(client|sql|server|evals)$/, replacement: at('packages/$1/src/index.ts') },
      {
        find: /^@promptkeep\/client\/(openai|ai-sdk|openai-agents|anthropic)$/,
        replacement: at('packages/client/src/adapters/$1.ts'),
      },
      { find: /^@promptkeep\/client\/([\w-]+)$/, replacement: at('packages/client/src/$1.ts') },
    ],
  },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'tests/**/*.test.ts',
      'bench/**/*.test.ts',
    ],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // A shared CI machine may stall for seconds; what fails twice has failed. At a desk nothing is tried again.
    retry: process.env.CI ? 1 : 0,
  },
})
