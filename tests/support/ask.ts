import { request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  /** The JSON, or `{ $text }` of anything else; null when it is empty. */
  readonly body: unknown
}

export interface Question {
  readonly method: string
  readonly path: string
  readonly query?: readonly (readonly [string, string])[] | undefined
  readonly body?: string | Buffer | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Plain HTTP: `fetch` can neither send a body with a GET nor leave the content type out. */
export function ask(server: string, { method, path, query = [], body, headers }: Question): Promise<Answer> {
  const search = new URLSearchParams(query.map(([key, value]) => [key, value])).toString()
  const url = `${server}${path}${search === '' ? '' : `?${search}`}`
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { ...headers, ...lengthOf(body) } }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const isJson = answer.headers['content-type']?.startsWith('application/json')
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers as Answer['headers'],
          body: text === '' ? null : isJson ? JSON.parse(text) : { $text: text },
        })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const lengthOf = (body: string | Buffer | undefined) =>
  body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
