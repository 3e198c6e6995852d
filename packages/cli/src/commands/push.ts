import { relative } from 'node:path'
import { hasCode, type Registry, type Template, type VersionDraft } from '@promptkeep/client'
import { type PromptLock, writeLock } from '@promptkeep/client/files'
import { type Part, partsOf } from '@promptkeep/client/includes'
import { TAG } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { warnOfSlip } from '../alias-slip.ts'
import { CliError } from '../cli-error.ts'
import { movedAway } from '../conflict.ts'
import type { Io } from '../io.ts'
import { type Linted, requireClean } from '../lint.ts'
import {
  aliasName,
  printJson,
  type RegistryFlags,
  registryCommand,
  withRegistry,
} from '../registry-command.ts'
import { leftSplitWords, readSplit, splitAt, splitWords } from '../split.ts'
import { createStyle, oneLine, type Style, table } from '../style.ts'
import { createMaker, type Made } from '../sync/make.ts'
import { orderByIncludes } from '../sync/parts.ts'
import { checkOnly, DEFAULT_DIR, openPromptFolder, type PromptFolder } from '../sync/prompt-folder.ts'
import { provenanceOf, provenanceTags } from '../sync/provenance.ts'
import { chainOf, type Finding, surveyPrompts } from '../sync/survey.ts'
import { templateNotes, warn } from '../template-notes.ts'

interface PushFlags extends RegistryFlags {
  readonly alias?: string
  readonly message?: string
  readonly dryRun?: true
  readonly force?: true
  readonly only?: readonly string[]
  readonly strict?: true
  readonly lint?: boolean
}

export const push = (io: Io): Command =>
  registryCommand(
    'push',
    'Register the prompt files that changed; an alias moves only when --alias names it',
    'push apps/assistant/prompts --alias production --message "a warmer tone"',
    'push --dry-run',
  )
    .argument('[dir]', 'folder of the prompt files', DEFAULT_DIR)
    .option('--alias <alias>', 'point this alias at what was registered', aliasName('--alias'))
    .option('--message <text>', 'set the commit message (default: file and git commit)')
    .option('--dry-run', 'say what would happen, and do nothing')
    .option('--force', 'push also over what changed in the registry')
    .option('--only <names...>', 'push only these prompts')
    .option('--strict', 'refuse texts with warnings, too')
    .option('--no-lint', 'push also texts that cannot be rendered in TypeScript')
    .action((dir: string, flags: PushFlags) =>
      withRegistry(io, flags, async (registry) => {
        const folder = await openPromptFolder(io, 'push', dir)
        const chain = chainOf(flags.alias ?? 'production')
        const findings = await surveyPrompts(registry, { ...folder, chain, only: flags.only })
        checkOnly(flags.only, findings)
        const ordered = await orderByIncludes(findings)
        const texts = await rehearse(io, registry, ordered, flags)
        const isNew = findings.every(({ prompt }) => prompt?.aliases[flags.alias ?? ''] === undefined)
        if (flags.alias !== undefined && isNew) await warnOfSlip(io, registry, flags.alias)
        const results = await pushAll(io, registry, folder, ordered, flags)
        if (results.some(({ action }) => action === 'refused')) io.setExitCode(1)
        warnOf(io, findings, texts, results)
        await tellSplits(io, registry, findings, results, flags)
        if (flags.json)
          return printJson(io, { dir: folder.label, dryRun: flags.dryRun === true, prompts: results })
        report(io, results, flags)
      }),
    )

/** What cannot be expanded or rendered is found before anything is registered. @returns the texts with their parts */
async function rehearse(
  io: Io,
  registry: Registry,
  findings: readonly Finding[],
  flags: PushFlags,
): Promise<ReadonlyMap<string, Template>> {
  const maker = createMaker(registry, flags)
  const linted: Linted[] = []
  const texts = new Map<string, Template>()
  for (const finding of findings) {
    const { file } = finding
    if (!file) continue
    const { draft, isThere } = await maker.expand(finding)
    texts.set(finding.name, draft.template)
    maker.pushed(finding, whyNot(finding, flags) ? { action: 'refused' } : { action: 'registered' })
    if (!isThere && whyNot(finding, flags) === undefined) {
      const label = relative(io.cwd, file.path)
      linted.push({ label, path: file.path, source: file.template, expanded: draft.template })
    }
  }
  await requireClean(io, linted, flags)
  return texts
}

/** Of what was pushed, or would be: what it changes for those who fill in the variables. */
function warnOf(
  io: Io,
  findings: readonly Finding[],
  texts: ReadonlyMap<string, Template>,
  results: readonly Pushed[],
): void {
  for (const { name, action } of results) {
    const { there } = findings.find((finding) => finding.name === name) ?? {}
    const text = texts.get(name)
    if (text !== undefined && (action === 'registered' || action === 'reused'))
      warn(io, name, templateNotes(text, there?.template))
  }
}

/** Of each alias that moved, or would: the rollout that it left, and the one that it came to. */
async function tellSplits(
  io: Io,
  registry: Registry,
  findings: readonly Finding[],
  results: readonly Pushed[],
  { dryRun }: PushFlags,
): Promise<void> {
  for (const { name, action, version: to, alias: moved } of results) {
    if (moved === undefined || moved.from === to) continue
    const { name: alias, from } = moved
    const { there } = findings.find((finding) => finding.name === name) ?? {}
    const weights =
      there?.alias === alias && there.version === from
        ? readSplit(there.tags[`${TAG.rolloutPrefix}${alias}`], from)
        : undefined
    // A version that is new has none.
    const brought =
      action === 'reused' && to !== undefined
        ? await splitAt(registry, { name, alias, version: to })
        : undefined
    const at = oneLine(`${name}@${alias}`)
    if (weights !== undefined && from !== undefined)
      io.err.write(
        `${at}: ${leftSplitWords({ alias, from, weights, to, isShared: brought !== undefined, dryRun })}\n`,
      )
    if (brought !== undefined)
      io.err.write(
        `${at}: v${to} brings its rollout: ${splitWords(brought)}. End it: promptkeep rollout ${name} --alias ${alias} --end\n`,
      )
  }
}

interface Pushed {
  readonly name: string
  readonly action: 'unchanged' | 'registered' | 'reused' | 'refused'
  readonly reason?: string
  readonly version?: number
  /** What its own text includes; version 0: a file that would be registered. */
  readonly parts?: readonly Part[]
  /** The alias that moved, and where it was. */
  readonly alias?: { readonly name: string; readonly from?: number | undefined }
}

/** The lock is written even when a later prompt fails: what is registered is registered. */
async function pushAll(
  io: Io,
  registry: Registry,
  { dir, files, lock }: PromptFolder,
  findings: readonly Finding[],
  flags: PushFlags,
): Promise<Pushed[]> {
  const agreed = new Map(Object.entries(lock.prompts))
  const results: Pushed[] = []
  const made = createMaker(registry, flags)
  try {
    for (const finding of findings) {
      const { name, fileDigest } = finding
      if (fileDigest === undefined) {
        agreed.delete(name)
        continue
      }
      const result = await pushOne(io, registry, await made.expand(finding), flags)
      made.pushed(finding, result)
      results.push(result)
      const digest = agreedDigest(finding, result)
      if (digest !== undefined) agreed.set(name, { digest })
    }
    // Gone on both sides.
    for (const name of flags.only === undefined ? agreed.keys() : [])
      if (!findings.some((finding) => finding.name === name)) agreed.delete(name)
  } finally {
    const next: PromptLock = { version: 1, prompts: Object.fromEntries(agreed) }
    if (!flags.dryRun && files.length > 0 && differs(lock, next)) await writeLock(dir, next)
  }
  return results.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * What file and registry agree on now. An older version that was found to hold the text changes nothing there until an
 * alias points at it: what the alias says is then known, and the file is newer.
 */
function agreedDigest({ fileDigest, held, there }: Finding, { action, alias }: Pushed): string | undefined {
  if (action === 'refused') return undefined
  const isOldVersion = action === 'reused' && held?.waiting === false && alias === undefined
  return isOldVersion ? there?.digest : fileDigest
}

const differs = (a: PromptLock, b: PromptLock): boolean => {
  const flat = ({ prompts }: PromptLock) => JSON.stringify(Object.entries(prompts).sort())
  return flat(a) !== flat(b)
}

async function pushOne(io: Io, registry: Registry, made: Made, flags: PushFlags): Promise<Pushed> {
  const { finding, held, draft } = made
  const { name, state } = finding
  if (state === 'same' && made.isThere) return pushSame(registry, finding, flags)
  const reason = whyNot(finding, flags)
  if (reason !== undefined) return { name, action: 'refused', reason }
  const action = held === undefined ? 'registered' : 'reused'
  const version = flags.dryRun
    ? held?.version
    : (held?.version ?? (await registerFile(io, registry, finding, draft, flags.message)))
  const at = flags.alias === undefined ? undefined : finding.prompt?.aliases[flags.alias]
  if (flags.alias !== undefined && version !== undefined && !flags.dryRun) {
    await pointAlias(registry, { name, alias: flags.alias, to: version, at }, flags)
  }
  const parts = partsOf(draft.tags ?? {}).filter(({ via }) => via === undefined)
  return {
    name,
    action,
    ...(version !== undefined && { version }),
    ...(parts.length > 0 && { parts }),
    ...(flags.alias !== undefined && { alias: { name: flags.alias, ...(at !== undefined && { from: at }) } }),
  }
}

/** Why a file is left alone; `undefined`: it is not. */
function whyNot({ state, there }: Finding, { force }: PushFlags): string | undefined {
  if (force) return undefined
  if (state === 'registry newer')
    return `the registry has newer text (v${there?.version}): pull it, or push with --force`
  return state === 'both changed'
    ? 'it changed here and in the registry: compare with promptkeep diff, then push or pull with --force'
    : undefined
}

/**
 * A file that says what the alias says. Where `production` stood in for an alias that the prompt lacks, that alias is
 * set only for a prompt that `--only` names: a push of candidates is not to make one of every file.
 */
async function pushSame(registry: Registry, finding: Finding, flags: PushFlags): Promise<Pushed> {
  const { name, there } = finding
  if (there === undefined) return { name, action: 'unchanged' }
  const { version, alias: standIn } = there
  const { alias, only, dryRun } = flags
  if (alias === undefined || standIn === alias) return { name, action: 'unchanged', version }
  if (only === undefined)
    return { name, action: 'unchanged', version, reason: `same as ${standIn}, so ${alias} was not set` }
  if (!dryRun) await pointAlias(registry, { name, alias, to: version, at: undefined }, flags)
  return { name, action: 'reused', version, alias: { name: alias } }
}

interface Move {
  readonly name: string
  readonly alias: string
  readonly to: number
  /** Where the comparison found it. */
  readonly at: number | undefined
}

/** Somebody may have moved it since the comparison: then it is theirs, unless forced. */
async function pointAlias(registry: Registry, { name, alias, to, at }: Move, { force, message }: PushFlags) {
  try {
    await registry.setAlias(name, alias, to, {
      ...(force ? {} : { expected: at ?? null }),
      reason: message ?? 'pushed from files',
    })
  } catch (cause) {
    if (!hasCode(cause, 'CONFLICT')) throw cause
    throw new CliError(
      `${movedAway(alias, name, cause)}, moved since push compared; v${to} is registered and waits`,
      {
        exitCode: 1,
        hint: `See who moved it: promptkeep history ${name}; then: promptkeep alias ${name} ${alias} ${to}`,
        cause,
      },
    )
  }
}

async function registerFile(
  io: Io,
  registry: Registry,
  { file }: Finding,
  draft: VersionDraft,
  message?: string,
): Promise<number> {
  const origin = await provenanceOf(io, file?.path ?? '')
  const { version } = await registry.register({
    ...draft,
    description: file?.description ?? '', // not the commit message, as it would be by default
    commitMessage:
      message ?? (origin.commit ? `${origin.path} at ${origin.commit.slice(0, 10)}` : origin.path),
    tags: { ...draft.tags, ...provenanceTags(origin) },
  })
  return version
}

function report(io: Io, results: readonly Pushed[], flags: PushFlags): void {
  const style = createStyle(io.out, io.env)
  const changed = results.filter(({ action }) => action !== 'unchanged')
  io.out.write(table(changed.map((result) => [style.bold(result.name), ...describe(result, flags, style)])))
  const count = (action: Pushed['action']) => results.filter((result) => result.action === action).length
  const [registered, reused] = flags.dryRun ? ['would register', 'reuse'] : ['registered', 'reused']
  io.err.write(
    `${registered}=${count('registered')} ${reused}=${count('reused')} unchanged=${count('unchanged')} refused=${count('refused')}\n`,
  )
  const unset = results.filter(({ action, reason }) => action === 'unchanged' && reason !== undefined)
  if (unset.length > 0) {
    const [who, name] =
      unset.length === 1 ? [unset[0]?.name, unset[0]?.name] : [`${unset.length} prompts`, 'NAME']
    io.err.write(
      `${who}: same as production, so ${flags.alias} was not set; --alias ${flags.alias} --only ${name} sets it.\n`,
    )
  }
  const waiting = changed.filter(({ action }) => action !== 'refused')
  if (waiting.length > 0 && flags.alias === undefined && !flags.dryRun)
    io.err.write(
      'No alias moved: these versions are served when one does (promptkeep alias NAME production VERSION, or push --alias).\n',
    )
}

function describe(
  { action, reason, version, alias, parts = [] }: Pushed,
  { dryRun }: PushFlags,
  style: Style,
): string[] {
  if (action === 'refused') return [style.red('refused'), reason ?? '']
  const what =
    action === 'reused'
      ? `v${version} holds this text`
      : dryRun
        ? 'would be registered'
        : `registered v${version}`
  const to = version === undefined ? 'the new version' : `v${version}`
  return [
    style.green(what),
    [
      alias ? `${alias.name} ${alias.from === undefined ? 'unset' : `v${alias.from}`} -> ${to}` : '',
      ...parts.map(
        (part) => `with ${part.name} ${part.version === 0 ? 'as it will be' : `v${part.version}`}`,
      ),
    ]
      .filter((text) => text !== '')
      .join(', '),
  ]
}
