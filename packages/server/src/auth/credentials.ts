/**
 * The token of an `Authorization` header: Bearer, or the password of Basic with any user name, as MLflow's clients send
 * `MLFLOW_TRACKING_TOKEN` and `MLFLOW_TRACKING_USERNAME` with `MLFLOW_TRACKING_PASSWORD`, and every client an address
 * with a password in it. `undefined` without a header, or with an empty one; what is no token comes back as it is, to be found wrong.
 */
export function sentToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization === '') return undefined
  const space = authorization.indexOf(' ')
  const scheme = authorization.slice(0, space === -1 ? undefined : space).toLowerCase()
  const rest = space === -1 ? '' : authorization.slice(space + 1).trim()
  if (scheme === 'bearer') return rest
  if (scheme !== 'basic') return ''
  const pair = Buffer.from(rest, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon === -1 ? '' : pair.slice(colon + 1)
}
