import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { checkName } from '@promptkeep/client/protocol'
import {
  createPromoteDeps,
  formatPromotion,
  loadCoreSuites,
  type Promotion,
  promote,
  promotionMarkdown,
} from '@promptkeep/evals'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { duration } from '../parse-time.ts'
import { aliasName, printJson, type RegistryFlags, registryCommand } from '../registry-command.ts'
import { createStyle, printable } from '../style.ts'

interface PromoteFlags extends RegistryFlags {
  readonly from: string
  readonly to: string
  readonly evals: string
  readonly suite?: readonly string[]
  readonly model?: string
  readonly judgeModel?: string
  readonly maxAge?: number
  readonly rerun?: true
  readonly run: boolean
  readonly reason?: string
  readonly force?: true
  readonly dryRun?: true
  readonly markdown?: string
}

export const promoteCommand = (io: Io): Command =>
  registryCommand(
    'promote',
    'Point an alias at a candidate that the core suites say is no worse; the change carries the evidence',
    'promote memory --from experiment --to production',
    'promote memory --dry-run',
    'promote memory --force --reason "the old one leaks names"',
  )
    .argument('<name>', 'prompt')
    .option('--from <alias>', 'take the candidate from this alias', aliasName('--from'), 'experiment')
    .option('--to <alias>', 'give it this alias', aliasName('--to'), 'production')
    .option('--evals <folder>', 'judge by the suites of this folder that say core: true', 'evals')
    .option('--suite <name...>', 'judge by these instead: names in the folder, or manifests')
    .option('--model <name>', "run suites with this model for the target (default: the target's own)")
    .option('--judge-model <name>', 'ask this model where a suite has a judge')
    .option(
      '--max-age <time>',
      "take runs that are at most this old, such as 12h (default: the policy's, else 24h)",
      duration('--max-age'),
    )
    .option('--rerun', 'run every suite anew, whatever runs there are')
    .option('--no-run', 'read the runs that are there, and run none')
    .option('--reason <text>', 'keep this in the history, before the summary of the evidence')
    .option('--force', 'put it there without evidence; needs --reason, and is recorded as forced')
    .option('--dry-run', 'say what the runs that are there would decide; run, move and write nothing')
    .option('--markdown <file>', 'write what it came to as Markdown, fit for a pull request')
    .addHelpText(
      'after',
      '\nExit codes: 0 moved, or there already by evidence; 1 refused; 2 cannot tell (too few cases, no evidence, an outage).',
    )
    .action(async (name: string, flags: PromoteFlags) => {
      checkName(name)
      if (flags.rerun && (!flags.run || flags.dryRun || flags.maxAge !== undefined))
        throw new CliError(
          '--rerun runs every suite: it cannot be given with --no-run, --dry-run or --max-age',
        )
      if (flags.force && !flags.reason?.trim())
        throw new CliError('--force needs --reason: the history keeps why no evidence was asked for')
      // Before anything is moved: a report that cannot be written must not come after it.
      if (flags.markdown !== undefined) await writeReport(io, flags.markdown, '')
      const models = { model: flags.model, judgeModel: flags.judgeModel }
      const stop = new AbortController()
      void io.untilStopped().then(() => stop.abort())
      const suites = flags.force
        ? []
        : await loadCoreSuites({ folder: flags.evals, named: flags.suite, models, cwd: io.cwd }, { fetch })
      const deps = createPromoteDeps({
        trackingUri: flags.trackingUri,
        env: io.env,
        now: io.now,
        git: io.git,
        createRegistry: io.createRegistry,
        createAdmin: io.createAdmin,
        signal: stop.signal,
        onLine: (line) => io.err.write(`${printable(line)}\n`),
      })
      const maxAgeMs = flags.rerun ? 0 : flags.maxAge === undefined ? undefined : flags.maxAge * 1000
      const { from, to, run, reason, force, dryRun } = flags
      const promotion = await promote(
        { name, from, to, suites, maxAgeMs, run, reason, force: force === true, dryRun: dryRun === true },
        deps,
      ).finally(() => deps.close())
      await say(io, flags, promotion)
      io.setExitCode(promotion.exitCode)
    })

async function say(io: Io, flags: PromoteFlags, promotion: Promotion): Promise<void> {
  if (flags.json) printJson(io, promotion)
  else {
    const style = createStyle(io.out, io.env)
    const paint = [style.green, style.red, style.yellow][promotion.exitCode]
    const [first = '', ...rest] = printable(formatPromotion(promotion)).split('\n')
    io.out.write([paint?.(first) ?? first, ...rest].join('\n'))
  }
  if (flags.markdown !== undefined) await writeReport(io, flags.markdown, promotionMarkdown(promotion))
}

async function writeReport(io: Io, file: string, text: string): Promise<void> {
  try {
    await writeFile(resolve(io.cwd, file), text)
  } catch (cause) {
    throw new CliError(`--markdown: ${file} cannot be written: ${(cause as Error).message}`, { cause })
  }
}
