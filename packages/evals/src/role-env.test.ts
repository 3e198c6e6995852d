import { describe, expect, it } from 'vitest'
import { asRole, EVALUATOR_TOKEN, PROMOTER_TOKEN } from './role-env.ts'

const trackingUri = 'http://registry.test'
const both = { PROMPTKEEP_EVALUATOR_TOKEN: 'e', PROMPTKEEP_PROMOTER_TOKEN: 'p' }

describe('asRole', () => {
  it('takes the token of the role, and leaves nothing that outranks it or is the other one', () => {
    const env = { ...both, MLFLOW_TRACKING_TOKEN: 'm', MLFLOW_TRACKING_USERNAME: 'u', HOME: '/' }
    expect(asRole(EVALUATOR_TOKEN, { trackingUri: 'http://u:pw@registry.test/x', env })).toEqual({
      trackingUri: 'http://registry.test/x',
      env: { HOME: '/', MLFLOW_TRACKING_TOKEN: 'e' },
    })
    expect(asRole(PROMOTER_TOKEN, { trackingUri, env }).env).toEqual({
      HOME: '/',
      MLFLOW_TRACKING_TOKEN: 'p',
    })
  })

  it.each([
    { MLFLOW_TRACKING_TOKEN: 'm' },
    { MLFLOW_TRACKING_USERNAME: 'u', MLFLOW_TRACKING_PASSWORD: 'pw' },
  ])('takes who is named for all where the role has none: %o', (named) => {
    const env = { ...named, PROMPTKEEP_EVALUATOR_TOKEN: 'e' }
    expect(asRole(PROMOTER_TOKEN, { trackingUri, env }).env).toEqual(named)
    const inUrl = { trackingUri: 'http://u:pw@registry.test', env: { PROMPTKEEP_EVALUATOR_TOKEN: 'e' } }
    expect(asRole(PROMOTER_TOKEN, inUrl)).toEqual({ trackingUri: inUrl.trackingUri, env: {} })
  })

  it('reads with the other token where that is all there is', () => {
    const env = { PROMPTKEEP_EVALUATOR_TOKEN: 'e' }
    expect(asRole(PROMOTER_TOKEN, { trackingUri, env }).env).toEqual({ MLFLOW_TRACKING_TOKEN: 'e' })
    expect(asRole(EVALUATOR_TOKEN, { trackingUri, env: {} }).env).toEqual({})
  })
})
