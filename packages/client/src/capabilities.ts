import { RegistryError } from './errors.ts'
import type { Send } from './http.ts'
import { OWN_ROOT, toCapabilities } from './own-wire.ts'
import type { Capabilities } from './transport.ts'

/** A server that does not know our route is a stock MLflow, if it says its version as MLflow does. */
export async function askCapabilities(send: Send, address: string): Promise<Capabilities> {
  try {
    return toCapabilities(await send({ method: 'GET', path: `${OWN_ROOT}/capabilities` }))
  } catch (error) {
    if (!(error instanceof RegistryError) || error.status !== 404) throw error
  }
  const version = String(await send({ method: 'GET', path: '/version', isText: true })).trim()
  if (/^\d+\.\d+[\w.+-]*$/.test(version)) {
    return {
      server: 'mlflow',
      version,
      seed: false,
      compareAndSet: false,
      history: false,
      live: false,
      fleet: false,
    }
  }
  throw new RegistryError(
    'UNAVAILABLE',
    `${address} is no MLflow server: /version did not answer with a version`,
  )
}
