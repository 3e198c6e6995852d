import { InvalidInput } from '@promptkeep/client/protocol'

/** MLflow's page token: base64 of Python's JSON text of the offset. Equal to the byte, so that goldens can be replayed. */
export const pageTokenOf = (offset: number): string =>
  Buffer.from(`{"offset": ${offset}}`, 'utf8').toString('base64')

/** The answer's `next_page_token`: left out on the last page. */
export const nextPage = (
  more: boolean,
  { offset, limit }: { offset: number; limit: number },
): { next_page_token?: string } => (more ? { next_page_token: pageTokenOf(offset + limit) } : {})

/**
 * The offset of a page token; absent or '' is the first page.
 * @throws {InvalidInput} with MLflow's texts
 */
export function offsetOf(token: string | undefined): number {
  if (!token) return 0
  const text = decode(token)
  const parsed = parse(text)
  const offset =
    typeof parsed === 'object' && parsed !== null && 'offset' in parsed ? parsed.offset : undefined
  if (!offset) throw new InvalidInput(`Invalid page token, parsed value=${JSON.stringify(parsed)}`)
  const number = Number(offset)
  if (!Number.isSafeInteger(number)) {
    throw new InvalidInput(`Invalid page token, not stringable ${String(offset)}`)
  }
  return Math.max(0, number)
}

/** Python's lenient decoder skips foreign characters, but what is left must be padded to fours. */
function decode(token: string): string {
  const kept = token.replace(/[^A-Za-z0-9+/=]/g, '')
  const body = kept.replace(/=+$/, '')
  if (body.length % 4 === 1 || kept.length % 4 !== 0) {
    throw new InvalidInput('Invalid page token, could not base64-decode')
  }
  return Buffer.from(body, 'base64').toString('utf8')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new InvalidInput(`Invalid page token, decoded value=b'${text}'`, { cause })
  }
}
