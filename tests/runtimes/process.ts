// A program of Node, Bun or Deno: what it has seen is the line that it prints. Nothing ends it but having nothing to do.
import { smoke } from './smoke.ts'

const [trackingUri = '', end = ''] = process.argv.slice(2)
process.stdout.write(`${JSON.stringify(await smoke({ trackingUri, end }))}\n`)
