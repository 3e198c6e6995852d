/**
 * What a server needs of the client package: errors, the wire, digests, template rules, validators. No client
 * behaviour.
 * @module
 */
export * from './change-kinds.ts'
export { checkMessages } from './chat-message.ts'
export * from './check-json.ts'
export * from './check-names.ts'
export * from './digest.ts'
export * from './errors.ts'
export * from './log.ts'
export * from './own-wire.ts'
export type * from './prompt.ts'
export * from './reference.ts'
export * from './refuse.ts'
export * from './response-format.ts'
export * from './roles.ts'
export * from './rollout.ts'
export * from './template.ts'
export type * from './transport.ts'
export * from './validate.ts'
export * from './wire.ts'
export * from './wire-keys.ts'
export * from './wire-lists.ts'
export * from './wire-status.ts'
export * from './wire-tags.ts'
