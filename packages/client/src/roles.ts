/** What a token may be good for; one token may have several. */
export const ROLES = ['reader', 'writer', 'evaluator', 'promoter', 'admin'] as const

/**
 * - `reader` reads everything but tokens.
 * - `writer` reads, registers versions, edits, deletes, and moves aliases that no policy keeps from writers.
 * - `evaluator` reads, and logs runs; only its verdicts count as evidence.
 * - `promoter` reads and moves aliases.
 * - `admin` does everything, and alone makes tokens and policies and forces moves.
 */
export type Role = (typeof ROLES)[number]
