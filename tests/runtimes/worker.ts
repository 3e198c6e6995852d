// An edge worker, without Node's modules.
import { createRegistry } from '@promptkeep/client'
import { smoke } from './smoke.ts'

/** Put in by the bundler: where nothing is asked for at the start, there is no other way to know it. */
declare const PLACES: { readonly trackingUri: string; readonly end: string }

/** Lives as long as the worker, so that its cache serves many requests. */
const registry = createRegistry({ trackingUri: PLACES.trackingUri })

// biome-ignore lint/style/noDefaultExport: it is what workerd starts
export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === '/smoke') return Response.json(await smoke(PLACES))
    const prompt = await registry.load(pathname.slice(1))
    return Response.json({ text: prompt.format(), source: prompt.source })
  },
}
