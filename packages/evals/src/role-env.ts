/** As `process.env`. */
export type Env = Readonly<Record<string, string | undefined>>

/** The variables that tokens of one role are read from. Without one, `MLFLOW_TRACKING_TOKEN` is everybody's; without that, the other role's. */
export const EVALUATOR_TOKEN = 'PROMPTKEEP_EVALUATOR_TOKEN'
export const PROMOTER_TOKEN = 'PROMPTKEEP_PROMOTER_TOKEN'

/**
 * Where to ask, and as whom: with a token of its own for the role, nothing else that could outrank it is left (a user and
 * a password in variables or in the address). Neither token reaches what the environment is handed on to, such as a target.
 */
export function asRole(
  role: typeof EVALUATOR_TOKEN | typeof PROMOTER_TOKEN,
  { trackingUri, env }: { readonly trackingUri: string; readonly env: Env },
): { readonly trackingUri: string; readonly env: Env } {
  const { [EVALUATOR_TOKEN]: evaluator, [PROMOTER_TOKEN]: promoter, ...rest } = env
  const [own, others] = role === EVALUATOR_TOKEN ? [evaluator, promoter] : [promoter, evaluator]
  // Both roles may read: where one token is all there is, it does for that, and what it may not do is refused by the server.
  const token = own || (isNobody(trackingUri, rest) ? others : undefined)
  if (!token) return { trackingUri, env: rest }
  const { MLFLOW_TRACKING_USERNAME: _, MLFLOW_TRACKING_PASSWORD: __, ...kept } = rest
  return { trackingUri: withoutUser(trackingUri), env: { ...kept, MLFLOW_TRACKING_TOKEN: token } }
}

/** No credentials of any role's. */
const isNobody = (trackingUri: string, env: Env): boolean =>
  !env.MLFLOW_TRACKING_TOKEN &&
  !env.MLFLOW_TRACKING_USERNAME &&
  (!URL.canParse(trackingUri) || new URL(trackingUri).username === '')

function withoutUser(trackingUri: string): string {
  if (!URL.canParse(trackingUri)) return trackingUri // refused by whoever connects
  const url = new URL(trackingUri)
  if (url.username === '' && url.password === '') return trackingUri
  url.username = ''
  url.password = ''
  return url.href.replace(/\/$/, '')
}
