import { checkName, refuse } from '@promptkeep/client/protocol'
import { createPromoteDeps, type GuardLook, guardRollout, LIVE_EXPERIMENT } from '@promptkeep/evals'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { Io } from '../io.ts'
import { duration } from '../parse-time.ts'
import { aliasName, type RegistryFlags, registryCommand } from '../registry-command.ts'
import { createStyle, isoTime, oneLine } from '../style.ts'

interface GuardFlags extends RegistryFlags {
  readonly alias: string
  readonly metric?: string
  readonly margin: number
  readonly experiment: string
  readonly interval?: number
  readonly once?: true
}

export const guard = (io: Io): Command =>
  registryCommand(
    'guard',
    'Judge a rollout by a metric that apps log, and end it when a version is worse',
    'guard memory --alias production --metric thumbs_up --margin 0.05',
    'guard memory --metric thumbs_up --once',
  )
    .argument('<name>', 'prompt')
    .option('--alias <alias>', 'judge the rollout of this alias', aliasName('--alias'), 'production')
    .option('--metric <name>', 'judge by this metric: observations from 0 to 1, more is better')
    .option('--margin <difference>', 'let a version be this much worse, above 0 and below 1', share, 0.05)
    .option('--experiment <name>', 'read what apps log to this MLflow experiment', LIVE_EXPERIMENT)
    .option('--interval <time>', 'ask this often (default: 60s)', duration('--interval'))
    .option('--once', 'ask once, and end')
    .addHelpText(
      'after',
      '\nExit codes: 0 the rollout ended, or is fine so far (--once); 1 rolled back; 2 cannot tell.',
    )
    .action(async (name: string, flags: GuardFlags) => {
      checkName(name)
      const { metric, alias, margin, experiment, once } = flags
      if (!metric?.trim()) throw new CliError('--metric is missing: which metric says how good a version is?')
      const stop = new AbortController()
      void io.untilStopped().then(() => stop.abort())
      const deps = createPromoteDeps({
        trackingUri: flags.trackingUri,
        env: io.env,
        now: io.now,
        createRegistry: io.createRegistry,
        createAdmin: io.createAdmin,
      })
      const { registry, admin, now } = deps
      const { server, version } = await admin.capabilities().catch(() => ({ server: undefined, version: '' }))
      if (server === 'mlflow')
        io.err.write(
          `This registry is stock MLflow ${version}: a rollout is a tag, read and then removed; its history is the last change.\n`,
        )
      const end = await guardRollout(
        {
          ...{ name, alias, metric, margin, experiment, once: once === true },
          intervalMs: (flags.interval ?? 60) * 1000,
          signal: stop.signal,
          onLook: (look) => say(io, flags, name, look),
          onTrouble: (message) => io.err.write(`WARN  ${oneLine(message)}; it goes on\n`),
        },
        { registry, admin, now, tracking: deps.evals.tracking },
      ).finally(() => deps.close())
      if (end.problem !== undefined)
        io.err.write(`${createStyle(io.err, io.env).red('error:')} ${oneLine(end.problem)}\n`)
      io.setExitCode(end.exitCode)
    })

function share(text: string): number {
  const value = Number(text)
  return text.trim() !== '' && value > 0 && value < 1
    ? value
    : refuse('--margin', text, 'a number above 0 and below 1')
}

function say(io: Io, flags: GuardFlags, name: string, look: GuardLook): void {
  if (flags.json) {
    // One line for each look: whoever follows reads line by line.
    const line = { at: isoTime(io.now()), prompt: name, alias: flags.alias, ...look }
    io.out.write(`${JSON.stringify(line)}\n`)
    return
  }
  const style = createStyle(io.out, io.env)
  const mean = ({ count, mean }: { count: number; mean: number }) =>
    count === 0 ? 'nothing yet' : `${Math.round(mean * 1000) / 1000} (n ${count})`
  const arms = look.arms.map(
    ({ version, seen, main, stake, needed }) =>
      `v${version} ${mean(seen)}, v${look.mainVersion} ${mean(main)}, stake ${Math.round(stake * 100) / 100} of ${Math.round(needed)}`,
  )
  io.out.write(
    `${isoTime(io.now())}  ${name}@${flags.alias}  ${flags.metric}: ${arms.join('; ') || 'nothing to compare'}\n`,
  )
  for (const note of look.notes) io.err.write(`note: ${oneLine(note)}\n`)
  if (look.state === 'rolled-back')
    io.out.write(`${style.red('ROLLED BACK')}  ${oneLine(look.reason ?? '')}\n`)
}
