import autocannon, { type Result } from 'autocannon'

/** What one load asks a server, handed to this process as JSON in its first argument. */
export interface Load {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  /** Asked in turn by each connection. */
  readonly requests: readonly {
    readonly method: 'GET' | 'POST'
    readonly path: string
    readonly body?: object
  }[]
}

/** What this process prints: times of single answers in milliseconds. */
export interface LoadFigures {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const { url, connections, seconds, requests } = JSON.parse(process.argv[2] ?? '{}') as Load

/** @returns Times of the answers in milliseconds; autocannon's own percentiles are whole ones. */
function load(duration: number): Promise<{ readonly result: Result; readonly times: number[] }> {
  const times: number[] = []
  const options = {
    url,
    connections,
    duration,
    requests: requests.map(({ method, path, body }) => ({
      method,
      path,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })),
  }
  return new Promise((resolve, reject) => {
    const run = autocannon(options, (error, result) => (error ? reject(error) : resolve({ result, times })))
    run.on('response', (_client, _status, _bytes, ms) => times.push(ms))
  })
}

await load(Math.max(1, seconds / 4)) // for code that is compiled when it was run often, and connections of a pool
const { result, times } = await load(seconds)
const { non2xx, errors, duration } = result
if (non2xx > 0 || errors > 0) throw new Error(`${url}: ${non2xx} answers other than 200, ${errors} errors`)
times.sort((a, b) => a - b)
const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN
const figures: LoadFigures = { perSecond: times.length / duration, p50Ms: at(0.5), p99Ms: at(0.99) }
console.log(JSON.stringify(figures))
