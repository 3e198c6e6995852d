/** Events are `noun.verb`, fields are data; prompt text, user text and secrets are never fields. */
export type Logger = Record<'debug' | 'info' | 'warn' | 'error', (fields: object, event: string) => void>

/** Says nothing. The default: a library does not print. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
