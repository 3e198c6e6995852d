import { LangfuseClient } from '@langfuse/client'
import { measureClient, readJob } from './measure.ts'

const { url, ...size } = readJob()
const langfuse = new LangfuseClient({ publicKey: 'pk-bench', secretKey: 'sk-bench', baseUrl: url })
const figures = await measureClient(
  // The same TTL as ours: its own default is 60 s.
  (name) => langfuse.prompt.get(name, { type: 'text', label: 'production', cacheTtlSeconds: 300 }),
  size,
)
console.log(JSON.stringify(figures))
