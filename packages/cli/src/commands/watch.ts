import { createPromoteDeps, loadCoreSuites, type Promotion, type WatchEvent, watch } from '@promptkeep/evals'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { duration } from '../parse-time.ts'
import { aliasName, type RegistryFlags, registryCommand } from '../registry-command.ts'
import { isoTime, oneLine } from '../style.ts'

interface WatchFlags extends RegistryFlags {
  readonly alias: string
  readonly to: string
  readonly evals: string
  readonly suite?: readonly string[]
  readonly model?: string
  readonly judgeModel?: string
  readonly maxAge?: number
  readonly interval?: number
  readonly promote?: true
  readonly once?: true
}

export const watchCommand = (io: Io): Command =>
  registryCommand(
    'watch',
    'Run the core suites whenever a version gets an alias, until Ctrl-C',
    'watch',
    'watch --promote',
    'watch --once',
  )
    .option('--alias <alias>', 'judge whatever gets this alias', aliasName('--alias'), 'experiment')
    .option(
      '--to <alias>',
      'compare with what has this alias, and promote to it',
      aliasName('--to'),
      'production',
    )
    .option('--evals <folder>', 'judge by the suites of this folder that say core: true', 'evals')
    .option('--suite <name...>', 'judge by these instead: names in the folder, or manifests')
    .option('--model <name>', "run suites with this model for the target (default: the target's own)")
    .option('--judge-model <name>', 'ask this model where a suite has a judge')
    .option('--max-age <time>', 'let a run of this age still count (default: 24h)', duration('--max-age'))
    .option(
      '--interval <time>',
      'ask this often, beside what the registry tells (default: 30s)',
      duration('--interval'),
    )
    .option('--promote', 'give a candidate that passes the alias of --to')
    .option('--once', 'judge what waits now, and end')
    .addHelpText(
      'after',
      '\nExit codes: 0 ended, or nothing waits and nothing failed (--once); 1 a candidate failed; 2 cannot tell.',
    )
    .action(async (flags: WatchFlags) => {
      const { alias, to } = flags
      if (alias === to) throw new CliError(`--alias and --to are both ${to}`)
      const models = { model: flags.model, judgeModel: flags.judgeModel }
      const suites = await loadCoreSuites(
        { folder: flags.evals, named: flags.suite, models, cwd: io.cwd },
        { fetch },
      )
      const stop = new AbortController()
      void io.untilStopped().then(() => stop.abort())
      const deps = createPromoteDeps({
        trackingUri: flags.trackingUri,
        env: io.env,
        now: io.now,
        git: io.git,
        createRegistry: io.createRegistry,
        createAdmin: io.createAdmin,
        signal: stop.signal,
        onLine: (line) => io.err.write(`${isoTime(io.now())}  ${oneLine(line)}\n`),
      })
      const code = await watch(
        {
          ...{ suites, alias, to, promote: flags.promote === true, once: flags.once === true },
          maxAgeMs: flags.maxAge === undefined ? undefined : flags.maxAge * 1000,
          intervalMs: (flags.interval ?? 30) * 1000,
          signal: stop.signal,
          onEvent: (event) => say(io, flags, event),
        },
        deps,
      ).finally(() => deps.close())
      io.setExitCode(code)
    })

/** One line for each. */
function say(io: Io, { json, alias, to }: WatchFlags, event: WatchEvent): void {
  const at = isoTime(io.now())
  if (json) {
    io.out.write(`${JSON.stringify({ at, ...event })}\n`)
    return
  }
  if (event.kind === 'trouble') {
    const who = event.candidate === undefined ? '' : `${event.candidate.name} v${event.candidate.version}: `
    io.err.write(`${at}  WARN  ${oneLine(`${who}${event.message}`)}\n`)
  } else io.out.write(`${at}  ${oneLine(words(event, alias, to))}\n`)
}

function words(event: Exclude<WatchEvent, { kind: 'trouble' }>, alias: string, to: string): string {
  if (event.kind === 'ready') {
    const how = event.live
      ? 'by the stream of changes'
      : 'by asking: this registry is stock MLflow, which tells of nothing'
    return `watching ${alias} ${how}; ${event.candidates} to judge`
  }
  const who = `${event.candidate.name} v${event.candidate.version}`
  if (event.kind === 'judging') return `${who}: judging`
  if (event.kind === 'elsewhere') return `${who}: another watcher is judging it`
  const { outcome, problems, suites } = event.promotion
  const said = suites.map(({ suite, outcome, run, reasons }) =>
    [`${suite} ${outcome.replace('-', ' ')}`, ...(run ? [`run ${run}`] : []), ...reasons].join(', '),
  )
  const word = outcome === 'promoted' ? `promoted to ${to}` : WORDS[outcome]
  return `${who}: ${[word, ...problems, ...said].join('; ')}`
}

const WORDS: Readonly<Record<Promotion['outcome'], string>> = {
  promoted: 'promoted',
  'already-there': 'there already',
  'would-promote': 'passed',
  refused: 'failed',
  inconclusive: 'inconclusive',
  undecided: 'undecided',
}
