import { LangfuseClient } from '@langfuse/client'
import { countFetch, measureClient, readJob } from './measure.ts'

const { url, ...size } = readJob()
const requests = countFetch()
const langfuse = new LangfuseClient({ publicKey: 'pk-bench', secretKey: 'sk-bench', baseUrl: url })
const figures = await measureClient(
  // The same TTL as ours: its own default is 60 s.
  (name) => langfuse.prompt.get(name, { type: 'text', label: 'production', cacheTtlSeconds: 300 }),
  { ...size, requests },
)
console.log(JSON.stringify(figures))
