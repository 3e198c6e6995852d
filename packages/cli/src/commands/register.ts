import { resolve } from 'node:path'
import {
  type ChatMessage,
  hasCode,
  isAbsence,
  type JsonObject,
  type ModelConfig,
  type PromptVersion,
  type Registry,
  type Template,
} from '@promptkeep/client'
import { canonicalTemplate, type PromptFile, readPromptFile, readUtf8 } from '@promptkeep/client/files'
import { expandDraft } from '@promptkeep/client/includes'
import { refuse, TAG } from '@promptkeep/client/protocol'
import type { Command } from 'commander'
import { warnOfSlip } from '../alias-slip.ts'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { requireClean } from '../lint.ts'
import {
  aliasName,
  printJson,
  type RegistryFlags,
  registryCommand,
  withRegistry,
} from '../registry-command.ts'
import { leftSplitWords, readSplit } from '../split.ts'
import { isoTime } from '../style.ts'
import { findIn, inFile } from '../sync/parts.ts'
import { chainOf } from '../sync/survey.ts'
import { templateNotes, warn } from '../template-notes.ts'

interface RegisterFlags extends RegistryFlags {
  readonly file?: string
  readonly template?: string
  readonly chat?: true
  readonly message?: string
  readonly modelConfig?: JsonObject
  readonly responseFormat?: string
  readonly tag?: Readonly<Record<string, string>>
  readonly alias?: string
  readonly strict?: true
  readonly lint?: boolean
}

export const register = (io: Io): Command =>
  registryCommand(
    'register',
    'Append a version, making the prompt when it is new; the text comes from --file, --template or a pipe',
    'register memory --file prompts/memory.md --message "shorter" --alias experiment',
    'register greet < greeting.txt',
  )
    .argument('<name>', 'prompt: letters, digits, _ . -')
    .option(
      '--file <path>',
      'read a prompt file (.md, with its front matter) or plain text; "-" reads the pipe',
    )
    .option('--template <text>', 'take this text')
    .option('--chat', 'read the text as a JSON list of messages')
    .option('--message <text>', 'set the commit message')
    .option('--model-config <json>', 'set model settings, such as \'{"temperature": 0.2}\'', jsonObject)
    .option('--response-format <path>', 'set the schema of the answer: a JSON file')
    .option('--tag <key=value>', 'tag the version; may be repeated', tag)
    .option('--alias <alias>', 'point this alias at the new version', aliasName('--alias'))
    .option('--strict', 'refuse a text with warnings, too')
    .option('--no-lint', 'register also a text that cannot be rendered in TypeScript')
    .action((name: string, flags: RegisterFlags) =>
      withRegistry(io, flags, async (registry) => {
        const content = await readContent(io, flags)
        const responseFormat =
          flags.responseFormat === undefined
            ? content.responseFormat
            : parseObject(await readUtf8(resolve(io.cwd, flags.responseFormat)), flags.responseFormat)
        const modelConfig = (flags.modelConfig as ModelConfig | undefined) ?? content.modelConfig
        const given = {
          name,
          template: content.template,
          modelConfig,
          responseFormat,
          description: content.description,
          commitMessage: flags.message ?? content.description,
          tags: { ...content.tags, ...flags.tag },
        }
        const draft = await inFile(content, () => expandDraft(given, findIn(registry)))
        const label = flags.file ?? name
        const texts = { source: content.template, expanded: draft.template }
        await requireClean(io, [{ label, ...texts, ...(content.path && { path: content.path }) }], flags)
        const before = await findServed(registry, name, flags.alias)
        if (flags.alias !== undefined && before?.alias !== flags.alias)
          await warnOfSlip(io, registry, flags.alias)
        const version = await registry.register(draft)
        warn(io, name, templateNotes(draft.template, before?.template))
        const move = flags.alias === undefined ? undefined : await pointAlias(registry, version, flags.alias)
        if (flags.json)
          return printJson(io, {
            name: version.name,
            version: version.version,
            digest: version.digest,
            createdAt: isoTime(version.createdAt),
            ...(move && { alias: { name: flags.alias, ...move } }),
          })
        io.out.write(`registered ${version.name} v${version.version}\n`)
        if (move)
          io.out.write(
            `${name}@${flags.alias}: ${move.from === undefined ? 'unset' : `v${move.from}`} -> v${move.to}\n`,
          )
        if (flags.alias !== undefined && before?.alias === flags.alias && before.version === move?.from) {
          const weights = readSplit(before.tags[`${TAG.rolloutPrefix}${flags.alias}`], before.version)
          if (weights !== undefined)
            io.err.write(
              `${leftSplitWords({ alias: flags.alias, from: before.version, weights, to: move.to })}\n`,
            )
        }
      }),
    )

/** What users of the prompt get now, by the alias that is to move, else by `production`. */
async function findServed(registry: Registry, name: string, alias: string | undefined) {
  try {
    return await registry.load(name, { alias: chainOf(alias ?? 'production') })
  } catch (error) {
    // A new prompt, or a version that nobody could read: nothing to compare with. Registering tells the rest.
    if (isAbsence(error) || hasCode(error, 'INVALID_INPUT', 'DIGEST_MISMATCH')) return undefined
    throw error
  }
}

/** The version stays registered when its alias cannot be set: say so, or it would be registered again. */
async function pointAlias(registry: Registry, { name, version }: PromptVersion, alias: string) {
  try {
    const { from } = await registry.setAlias(name, alias, version)
    return { from, to: version }
  } catch (cause) {
    throw new CliError(
      `${name} v${version} is registered, but its alias is not set: ${(cause as Error).message}`,
      {
        hint: `Set it with: promptkeep alias ${name} ${alias} ${version}`,
        cause,
      },
    )
  }
}

type Content = Pick<PromptFile, 'template' | 'modelConfig' | 'responseFormat' | 'description' | 'tags'> & {
  /** Absolute; absent for a text that is in no file. */
  readonly path?: string
}

async function readContent(io: Io, { file, template, chat }: RegisterFlags): Promise<Content> {
  if (file !== undefined && template !== undefined)
    throw new CliError('the text was given twice: use --file or --template, not both')
  if (file !== undefined && file !== '-') {
    const path = resolve(io.cwd, file)
    if (path.endsWith('.md')) return await readPromptFile(path)
    return { template: toTemplate(await readUtf8(path), chat, file), path }
  }
  const text = template ?? (await io.readStdin())
  if (text === undefined)
    throw new CliError('there is no text', {
      hint: 'Give --file PATH or --template TEXT, or pipe the text in.',
    })
  return { template: toTemplate(text, chat, template === undefined ? 'the piped text' : '--template') }
}

function toTemplate(text: string, chat: true | undefined, where: string): Template {
  if (!chat) return canonicalTemplate(text)
  const value = parseJson(text, where)
  if (!Array.isArray(value)) throw new CliError(`${where}: --chat takes a JSON list of messages`)
  return canonicalTemplate(value as ChatMessage[])
}

function parseObject(text: string, where: string): JsonObject {
  const value = parseJson(text, where)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CliError(`${where}: it must be a JSON object`)
  return value as JsonObject
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CliError(`${where}: it is not JSON (${(cause as Error).message})`, { cause })
  }
}

function jsonObject(text: string): JsonObject {
  try {
    return parseObject(text, text)
  } catch {
    refuse('--model-config', text, 'a JSON object, in quotes for the shell: \'{"temperature": 0.2}\'')
  }
}

function tag(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) refuse('--tag', text, 'key=value')
  return { ...previous, [text.slice(0, at)]: text.slice(at + 1) }
}
