import { resolve } from 'node:path'
import type { JsonObject, ModelConfig, Registry, Template } from '@promptkeep/client'
import { fileDigestOf, readPromptFile } from '@promptkeep/client/files'
import { sourceOf } from '@promptkeep/client/includes'
import type { Command } from 'commander'
import { createTwoFilesPatch } from 'diff'
import { CliError } from '../cli-error.ts'
import { findVersion } from '../find-version.ts'
import type { Io } from '../io.ts'
import { printJson, type RegistryFlags, registryCommand, withRegistry } from '../registry-command.ts'
import { createStyle, printable, type Style } from '../style.ts'
import { settingsText, templateText, versionLabel } from '../template-text.ts'

/** A version of the registry, or a file. */
interface Side {
  readonly label: string
  readonly name: string
  readonly version?: number
  readonly digest: string
  readonly template: Template
  readonly modelConfig?: ModelConfig
  readonly responseFormat?: JsonObject
  readonly tags?: Readonly<Record<string, string>>
}

export const diff = (io: Io): Command =>
  registryCommand(
    'diff',
    'Compare two versions: text, model config, response format',
    'diff memory@production memory@experiment',
    'diff memory/2 ./prompts/memory.md',
  )
    .argument('<from>', 'name, name@alias, name/3, or a file: ./prompts/name.md')
    .argument('<to>', 'the same')
    .action((from: string, to: string, flags: RegistryFlags) =>
      withRegistry(io, flags, async (registry) => {
        const sides = [await readSide(io, registry, from), await readSide(io, registry, to)] as const
        // Beside a file a version is shown as it was written, or every part would be a difference.
        const hasFile = sides.some(({ version }) => version === undefined)
        const [a, b] = hasFile ? [asWritten(sides[0]), asWritten(sides[1])] : sides
        const patches = comparePair(a, b)
        if (flags.json) {
          const same = Object.keys(patches).length === 0
          return printJson(io, { from: head(a), to: head(b), same, patches })
        }
        const style = createStyle(io.out, io.env)
        for (const patch of Object.values(patches))
          io.out.write(paint(io.out.isTty ? printable(patch) : patch, style))
        if (Object.keys(patches).length === 0) io.err.write(`${a.label} and ${b.label} are the same.\n`)
      }),
    )

async function readSide(io: Io, registry: Registry, reference: string): Promise<Side> {
  // A prompt may be named x.md, but no reference has a slash before such an end.
  if (!reference.startsWith('prompts:/') && /[/\\].*\.md$/.test(reference)) {
    const file = await readPromptFile(resolve(io.cwd, reference))
    return { ...file, label: reference, digest: await fileDigestOf(file) }
  }
  const version = await findVersion(registry, reference).catch((error: unknown) => {
    if (!(error instanceof CliError) || !/^[^/\\@]*\.md$/.test(reference)) throw error
    throw new CliError(error.message, { hint: `A file needs a slash: ./${reference}`, cause: error })
  })
  return { ...version, label: versionLabel(version) }
}

const asWritten = (side: Side): Side => ({ ...side, template: sourceOf({ tags: {}, ...side }) })

const head = ({ label, name, version, digest }: Side) => ({
  label,
  name,
  ...(version && { version }),
  digest,
})

/** Unified diffs of what differs, by part. */
function comparePair(a: Side, b: Side): Readonly<Record<string, string>> {
  const parts = {
    template: [templateText(a.template), templateText(b.template)],
    model_config: [settingsText(a.modelConfig), settingsText(b.modelConfig)],
    response_format: [settingsText(a.responseFormat), settingsText(b.responseFormat)],
  } as const
  const changed = Object.entries(parts).filter(([, [before, after]]) => before !== after)
  return Object.fromEntries(
    changed.map(([part, [before, after]]) => {
      const patch = createTwoFilesPatch(
        `${a.label} ${part}`,
        `${b.label} ${part}`,
        ended(before),
        ended(after),
        undefined,
        undefined,
        {
          context: 3,
          headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
        },
      )
      return [part, patch]
    }),
  )
}

const ended = (text: string) => (text === '' || text.endsWith('\n') ? text : `${text}\n`)

function paint(patch: string, style: Style): string {
  return patch
    .split('\n')
    .map((line) => {
      if (/^(---|\+\+\+) /.test(line)) return style.bold(line)
      if (line.startsWith('@@')) return style.cyan(line)
      if (line.startsWith('+')) return style.green(line)
      return line.startsWith('-') ? style.red(line) : line
    })
    .join('\n')
}
