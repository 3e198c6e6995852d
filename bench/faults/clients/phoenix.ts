import { createClient } from '@arizeai/phoenix-client'
import { getPrompt } from '@arizeai/phoenix-client/prompts'
import type { Job, Load } from '../job.ts'

/** It has no cache, so no TTL, and takes no bundled text. */
export function createLoad({ url }: Job): Load {
  const client = createClient({ options: { baseUrl: url } })
  return async (name) => {
    const version = await getPrompt({ client, prompt: { name, tag: 'production' } })
    if (version === null) return null
    const { template } = version
    const [message] = template?.type === 'chat' ? template.messages : []
    return typeof message?.content === 'string' ? message.content : ''
  }
}
