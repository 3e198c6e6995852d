import { LangfuseClient } from '@langfuse/client'
import type { Job, Load } from '../job.ts'

export function createLoad({ url, ttlSeconds, bundled }: Job): Load {
  const langfuse = new LangfuseClient({ publicKey: 'pk-bench', secretKey: 'sk-bench', baseUrl: url })
  return async (name) => {
    const fallback = bundled[name]
    const options = { label: 'production', type: 'text', cacheTtlSeconds: ttlSeconds } as const
    const prompt = await langfuse.prompt.get(name, { ...options, ...(fallback && { fallback }) })
    return prompt.prompt ?? '' // a prompt without a text
  }
}
