// The target of greeting.yaml: what answers a case, and says by which version of which prompt.
import { createRegistry } from '@promptkeep/client'
import type { Target, TargetSetup } from '@promptkeep/evals'

export function greet({ trackingUri, env }: TargetSetup): Target {
  const registry = createRegistry({ trackingUri, env, strict: true, cacheTtlSeconds: 0 })
  return {
    async run({ input = '' }, { promptAlias }) {
      const set = await registry.loadSet(['greeting'], { alias: promptAlias, maxAgeMs: 0 })
      const output = String(set.get('greeting').format({ name: input }))
      return {
        ...{ output, messages: [], toolCalls: [], prompts: set.versions, fingerprint: set.fingerprint },
        usage: { inputTokens: 0, outputTokens: 0, requests: 0 },
      }
    },
    close: () => registry.close(),
  }
}
