import { InvalidInput } from '@promptkeep/client/protocol'
import type { MiddlewareHandler } from 'hono'
import { holdsToken } from './token.ts'

/**
 * An address is written down by proxies, browsers and shells, so a token in one is known to others. It is refused even
 * when it is right, or nobody would notice.
 */
export const noTokenInUrl: MiddlewareHandler = async function noTokenInUrl(c, next) {
  const { url } = c.req
  if ((url.includes('pk_') || url.includes('%')) && holdsToken(unescaped(url)))
    throw new InvalidInput(
      'There is a token in the address of this request. It is burnt: addresses are kept in logs. Revoke it ' +
        '(promptkeep token revoke), make another, and send that one in the Authorization header.',
    )
  await next()
}

/** Only what a token can be made of, twice: some proxies escape what is escaped. */
function unescaped(text: string): string {
  const once = (escaped: string) =>
    escaped.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return once(once(text))
}
