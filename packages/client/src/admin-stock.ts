import type { ChangeFilter, Rollback } from './admin-port.ts'
import { undoWeights } from './admin-rollout.ts'
import type { Resolution, ResolvedPrompt } from './admin-wire.ts'
import { Conflict, hasCode, InvalidInput } from './errors.ts'
import type { Send } from './http.ts'
import { type StockOptions, stockChanges, stockMove } from './mlflow-stock.ts'
import type { Change, Page } from './transport.ts'

/** As our server keeps at most on one page. */
const PAGE = 1000

/** Alias by alias: a move in between may be seen for one prompt and not for another. */
export async function stockResolve(
  names: readonly string[],
  chain: readonly string[],
  { api }: StockOptions,
): Promise<Resolution> {
  const answers = await Promise.all(names.map(resolveOne))
  return {
    prompts: answers.filter((answer) => 'version' in answer),
    missing: answers.filter((answer) => 'code' in answer),
  }

  async function resolveOne(name: string): Promise<ResolvedPrompt | Resolution['missing'][number]> {
    for (const alias of chain) {
      try {
        const content = await api.findByAlias(name, alias)
        return { name, alias, version: content.version, digest: content.digest, content }
      } catch (error) {
        if (hasCode(error, 'PROMPT_NOT_FOUND')) return { name, code: 'PROMPT_NOT_FOUND' }
        if (!hasCode(error, 'ALIAS_NOT_FOUND', 'VERSION_NOT_FOUND')) throw error
      }
    }
    return { name, code: 'ALIAS_NOT_FOUND' }
  }
}

/** The last move of each alias, of one prompt or of all, as far as a client of ours recorded it. One page. */
export async function stockLog(filter: ChangeFilter, { api }: StockOptions): Promise<Page<Change>> {
  const { prompt, kinds = [], alias, actor, since, until, limit = 100 } = filter
  if (actor !== undefined)
    throw new InvalidInput('actor: a stock MLflow server does not say who moved an alias')
  const moves = prompt === undefined ? await all() : stockChanges(await api.find(prompt)).items
  const items = moves
    .filter((move) => kinds.length === 0 || kinds.includes(move.kind))
    .filter((move) => alias === undefined || move.alias === alias)
    .filter(({ at }) => at >= (since ?? 0) && at <= (until ?? Number.POSITIVE_INFINITY))
    .sort((a, b) => b.at - a.at)
  return { items: items.slice(0, limit) }

  async function all(): Promise<Change[]> {
    const found: Change[] = []
    let pageToken: string | undefined
    do {
      const page = await api.list({ limit: PAGE, pageToken })
      found.push(...page.items.flatMap((info) => stockChanges(info).items))
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    return found
  }
}

/**
 * Undoes the last change of an alias, as a client of ours recorded it: its last move, or what its weights were before. No
 * other is known. Doing it twice is where it began.
 * @throws {InvalidInput} when no such move is known @throws {Conflict} when somebody else moved the alias since
 */
export async function stockRollback(
  { name, alias = 'production', toSeq, reason, expected, force }: Rollback,
  options: StockOptions & { readonly send: Send },
): Promise<readonly Change[]> {
  if (toSeq !== undefined)
    throw new InvalidInput(
      'toSeq: a stock MLflow server keeps no log; only the last move of an alias can be undone',
    )
  const info = await options.api.find(name)
  const current = info.aliases[alias]
  const last = stockChanges(info).items.find((move) => move.alias === alias)
  if (last === undefined)
    throw new InvalidInput(
      `alias "${alias}" of "${name}": no move is recorded on this stock MLflow server, so there is nothing to undo; ` +
        'point it at a version instead',
    )
  if (current !== last.to)
    throw new Conflict(
      `alias "${alias}" of "${name}" is ${current === undefined ? 'unset' : `at version ${current}`}: somebody moved it ` +
        `after the last change that is recorded (of version ${last.to}), so what was before is not known`,
      current ?? null,
    )
  if (last.kind === 'rollout.changed')
    return [await undoWeights(last, { name, alias, reason, expected, force }, options)]
  if (last.from === undefined)
    throw new InvalidInput(
      `alias "${alias}" of "${name}" was unset before its last move; there is no version to go back to`,
    )
  const move = {
    name,
    alias,
    to: last.from,
    expected: expected === undefined ? current : expected,
    reason,
    force,
  }
  return [await stockMove(move, options)]
}
