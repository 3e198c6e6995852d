import { type Change, InvalidInput } from '@promptkeep/client/protocol'
import { type Selectable, sql } from 'kysely'
import { lastUntil } from './change-list.ts'
import { toChange } from './change-row.ts'
import { rolloutTag } from './content-tags.ts'
import type { StoreContext } from './context.ts'
import { isAliasState, isVersionDeleted, isVersionState } from './log-indexes.ts'
import { readPastVersions } from './past-versions.ts'
import { isLatest, listed, rowsOf } from './resolve.ts'
import type { ChangeTable, Db } from './schema.ts'
import type { PastResolution, PastVersion } from './store.ts'

/** See `HistoryStore.resolveAt`. The log is only ever added to, so that its rows up to a `seq` can be read one by one. */
export async function resolveAt(
  { db, dialect }: Pick<StoreContext, 'db' | 'dialect'>,
  names: readonly string[],
  chain: readonly string[],
  at: number,
): Promise<PastResolution> {
  const seq = (await lastUntil(db, at))?.seq ?? 0
  if (seq === 0) await requireWholeLog(db, at)
  const asked = [...new Set(names)]
  const lives = await livesAt(db, asked, seq)
  const ids = [...lives.values()]
  const said = [
    ...(await aliasesAt(db, { ids, aliases: chain.filter((alias) => !isLatest(alias)), seq })),
    ...(await newestAt(db, { ids, aliases: chain.filter(isLatest), seq })),
  ]
  const missing: PastResolution['missing'][number][] = []
  const answers: (Says & { readonly name: string })[] = []
  for (const name of asked) {
    const ofLife = said.filter(({ modelId }) => modelId === lives.get(name))
    const first = chain.flatMap((alias) => ofLife.find((one) => one.alias === alias) ?? [])[0]
    if (first) answers.push({ ...first, name })
    else missing.push({ name, code: lives.has(name) ? 'ALIAS_NOT_FOUND' : 'PROMPT_NOT_FOUND' })
  }
  const versions = await readPastVersions(db, dialect, answers, seq)
  const since = await changesBySeq(
    db,
    answers.map((answer) => answer.since),
  )
  const found = answers.map((answer, i): PastVersion => {
    const { name, alias, version } = answer
    const { digest, content } = versions[i] ?? {}
    const rollout = content?.tags[rolloutTag(alias)]
    return { name, alias, version, digest, rollout, content, since: since.get(answer.since) as Change }
  })
  return { seq, at, found, missing }
}

/** @throws {InvalidInput} where the log does not start with the first change */
async function requireWholeLog(db: Db, at: number): Promise<void> {
  const first = await db
    .selectFrom('changes')
    .select(['seq', 'at'])
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst()
  if (!first || first.seq === 1) return
  throw new InvalidInput(
    `at must not be before ${new Date(first.at).toISOString()}, where the log starts with change ${first.seq}; ` +
      `got ${new Date(at).toISOString()}`,
  )
}

/** Which prompt had each name: the newest row that speaks of the name tells, for no two have it at one time. */
async function livesAt(db: Db, names: readonly string[], seq: number): Promise<Map<string, number>> {
  const newest = (column: 'prompt' | 'new_name') => sql`
    (select max(c.seq) from changes c where ${sql.ref(`c.${column}`)} = n.name and c.seq <= ${seq})`
  const { rows } = await sql<
    Pick<Selectable<ChangeTable>, 'kind' | 'model_id' | 'new_name'> & { name: string }
  >`
    select told.name, r.kind, r.model_id, r.new_name
    from (select n.name, ${newest('prompt')} as own, ${newest('new_name')} as came from ${listed(names)} n) told
      join changes r
        on r.seq = case when coalesce(told.own, 0) > coalesce(told.came, 0) then told.own else told.came end`.execute(
    db,
  )
  const gone = (row: (typeof rows)[number]) =>
    row.kind === 'prompt.deleted' || (row.kind === 'prompt.renamed' && row.new_name !== row.name)
  return new Map(rows.filter((row) => !gone(row)).map((row) => [row.name, row.model_id]))
}

export interface Asked {
  readonly ids: readonly number[]
  readonly aliases: readonly string[]
  readonly seq: number
}

export interface Says {
  readonly modelId: number
  readonly alias: string
  readonly version: number
  /** `seq` of the change that made it so. */
  readonly since: number
}

const lifeRows = (ids: readonly number[]) =>
  rowsOf(
    sql`model_id`,
    ids.map((id) => sql`(${sql.lit(id)})`),
  )

/** What aliases said; those that were unset are left out. */
export async function aliasesAt(db: Db, { ids, aliases, seq }: Asked): Promise<readonly Says[]> {
  if (ids.length === 0 || aliases.length === 0) return []
  const { rows } = await sql<Says>`
    select l.model_id as "modelId", n.name as alias, said.to_version as version, said.seq as since
    from ${lifeRows(ids)} l join ${listed(aliases)} n on 1 = 1
      join changes said on said.seq = (select max(c.seq) from changes c
        where c.model_id = l.model_id and c.alias = n.name and ${isAliasState()} and c.seq <= ${seq})
    where said.to_version is not null`.execute(db)
  return rows
}

/** `latest`: the highest version that was not deleted yet; so since it was registered, or the last one above it deleted. */
async function newestAt(db: Db, { ids, aliases, seq }: Asked): Promise<readonly Says[]> {
  if (ids.length === 0 || aliases.length === 0) return []
  const { rows } = await sql<Omit<Says, 'alias'>>`
    select r.model_id as "modelId", r.to_version as version, coalesce((
      select max(c.seq) from changes c where c.model_id = r.model_id and ${isVersionDeleted()}
        and c.from_version > r.to_version and c.seq <= ${seq}), r.seq) as since
    from ${lifeRows(ids)} l join changes r on r.seq = (
      select v.seq from changes v
      where v.model_id = l.model_id and ${isVersionState('v')} and v.kind = 'version.registered' and v.seq <= ${seq}
        and not exists (select 1 from changes c where c.model_id = v.model_id and ${isVersionDeleted()}
          and c.from_version = v.to_version and c.seq <= ${seq})
      order by v.to_version desc, v.seq desc limit 1)`.execute(db)
  return aliases.flatMap((alias) => rows.map((row) => ({ ...row, alias })))
}

async function changesBySeq(db: Db, seqs: readonly number[]): Promise<Map<number, Change>> {
  if (seqs.length === 0) return new Map()
  const rows = await db
    .selectFrom('changes')
    .selectAll()
    .where('seq', 'in', [...new Set(seqs)])
    .execute()
  return new Map(rows.map((row) => [row.seq, toChange(row)]))
}
