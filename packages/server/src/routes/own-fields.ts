import { z } from '@hono/zod-openapi'
import { CHANGE_KINDS, LIMIT } from '@promptkeep/client/protocol'
import { text, whole } from './own-schemas.ts'

/*
 * Fields of requests, as the OpenAPI document describes them: for who writes a client, and for generated requests.
 * zod itself asks for the type alone. The client's validators say the rest, in the same words as in the client.
 */

const NAME = '[A-Za-z0-9_.\\-]+'
/** In these, `except` is what no name that is asked for may hold. */
const knownName = (except: string): string =>
  `(?!\\.\\.|\\.(,|$))[^${except}]*[^\\s\\uFEFF${except}][^${except}]*`
const ALIAS = '[\\p{L}\\p{N}_\\-]+'
const DAY = '\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])'
const CLOCK = '([01]\\d|2[0-3]):[0-5]\\d'
/** What no text may hold: databases differ about it. */
const NO_NUL = '^[^\\u0000]*$'

const listOf = (one: string): string => `^${one}(,${one})*$`

/** As `checkName` has it. */
export const promptName = text.openapi({
  minLength: 1,
  maxLength: LIMIT.name,
  pattern: `^(?!\\.{1,2}$)${NAME}$`,
})

/** As `checkKnownName` has it: whatever MLflow's routes take. */
export const anyPromptName = text.openapi({
  minLength: 1,
  maxLength: LIMIT.name,
  pattern: `^${knownName('/:\\u0000')}$`,
})

/** As `checkAlias` has it: without what is reserved. */
export const settableAlias = text.openapi({
  minLength: 1,
  maxLength: LIMIT.alias,
  pattern: `^(?![Ll][Aa][Tt][Ee][Ss][Tt]$)(?![Vv]\\p{Nd}+$)${ALIAS}$`,
})

/** As `checkAliasToLoad` has it. */
export const loadedAlias = text.openapi({
  minLength: 1,
  maxLength: LIMIT.alias,
  pattern: `^(?!(?!latest$)[Ll][Aa][Tt][Ee][Ss][Tt]$)(?![Vv]\\d+$)${ALIAS}$`,
})

/** An alias to look for. */
export const anyAlias = text.openapi({ maxLength: LIMIT.alias, pattern: `^(${ALIAS})?$` })

export const namesWithCommas = text.openapi({ minLength: 1, pattern: listOf(knownName('/:,\\u0000')) })
export const aliasesWithCommas = text.openapi({ minLength: 1, pattern: listOf(ALIAS) })
export const kindsWithCommas = text.openapi({
  description: `a list with commas of ${CHANGE_KINDS.join(', ')}`,
  pattern: listOf(`(${CHANGE_KINDS.map((kind) => kind.replace('.', '\\.')).join('|')})`),
})

const versionLimits = { minimum: 1, maximum: 2_147_483_647 }
export const versionNumber = whole.openapi(versionLimits)

/** The version that an alias must say now. */
export const expectedVersion = z
  .int('a whole number, or null for an unset alias')
  .openapi(versionLimits)
  .nullable()

/** A reason, a description, a message: as `checkNote` has it. */
export const note = text.openapi({ maxLength: LIMIT.message, pattern: NO_NUL })

/** A note that must say something. */
export const saidNote = text.openapi({
  minLength: 1,
  maxLength: LIMIT.message,
  pattern: '^[^\\u0000]*\\S[^\\u0000]*$',
})

export const plainText = text.openapi({ pattern: NO_NUL })

/** What `timeQuery` reads. */
export const TIME_PATTERN = `^(\\d{1,15}|${DAY}([Tt]${CLOCK}(:[0-5]\\d(\\.\\d{1,9})?)?([Zz]|[+ \\-]${CLOCK}))?)$`
