import { checkName } from '@promptkeep/client/protocol'
import { readTrends } from '@promptkeep/evals'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { type EvalRunsFlags, withEvalRuns } from '../eval-runs.ts'
import type { Io } from '../io.ts'
import { aliasName, printJson, registryCommand, wholeNumber } from '../registry-command.ts'
import { createStyle } from '../style.ts'
import { formatTrend } from '../trend-output.ts'
import { writeReports } from '../write-reports.ts'

interface TrendFlags extends EvalRunsFlags {
  readonly limit: number
  readonly html?: string
  readonly prompt?: string
  readonly alias?: readonly string[]
}

export const trend = (io: Io): Command =>
  registryCommand(
    'trend',
    'Show how suites went, run by run; prompts that changed are marked',
    'trend',
    'trend tone routing --limit 5',
    'trend tone --prompt memory --alias experiment',
  )
    .argument('[suite...]', 'suites, by name (default: all that were run of late)')
    .option('--limit <n>', 'show this many runs of each suite', wholeNumber('--limit', 1, 1000), 20)
    .option('--prompt <name>', 'show only runs that used this prompt')
    .option(
      '--alias <alias>',
      'show only runs that were asked for this alias; may be given again',
      (text: string, before: readonly string[] = []) => [...before, aliasName('--alias')(text)],
    )
    .option('--html <file>', 'write the runs as one HTML file with charts')
    .option('--experiment <name>', 'read this MLflow experiment (default: MLFLOW_EXPERIMENT_NAME)')
    .addHelpText('after', '\nExit codes: 0 shown; 2 cannot tell: no such runs, or nobody answered.')
    .action(async (suites: string[], flags: TrendFlags) => {
      const { limit, prompt, alias: aliases } = flags
      if (prompt !== undefined) checkName(prompt)
      const { trends, experiment } = await withEvalRuns(io, flags, async ({ tracking, experiment }) => {
        const query = { experiment, suites, limit, prompt, aliases }
        return { trends: await readTrends(query, { tracking }), experiment }
      })
      const lacking = suites.filter((name) => !trends.some(({ suite }) => suite === name))
      if (flags.json) printJson(io, { experiment, suites: trends, lacking })
      else {
        const style = createStyle(io.out, io.env)
        io.out.write(trends.map((one) => formatTrend(one, style)).join('\n'))
      }
      await writeReports(io, flags, { reports: [], trends, title: `Evals: ${experiment}` })
      if (trends.length > 0 && lacking.length === 0) return
      const which = lacking.length > 0 ? ` of ${lacking.join(', ')}` : ''
      const filters = [
        ...(prompt === undefined ? [] : [`that used ${prompt}`]),
        ...(aliases === undefined ? [] : [`asked for ${aliases.join(' or ')}`]),
      ]
      throw new CliError(
        `there are no runs${which} in the MLflow experiment ${experiment}${filters.map((one) => ` ${one}`).join('')}`,
        { hint: 'Run suites with: promptkeep eval   or name another experiment with --experiment.' },
      )
    })
