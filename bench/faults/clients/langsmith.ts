import { Client, configureGlobalPromptCache } from 'langsmith'
import type { Job, Load } from '../job.ts'

/** It takes no bundled text. It looks for what is over its TTL once a minute; with a shorter TTL, as often as that. */
export function createLoad({ url, ttlSeconds }: Job): Load {
  configureGlobalPromptCache({ ttlSeconds, refreshIntervalSeconds: Math.min(60, ttlSeconds) })
  const client = new Client({ apiUrl: url, apiKey: 'lsv2_bench', autoBatchTracing: false })
  return async (name) => {
    const { manifest } = await client.pullPromptCommit(`${name}:production`)
    return (manifest as { kwargs?: { template?: string } }).kwargs?.template ?? ''
  }
}
