import { refuse } from '@promptkeep/client/protocol'
import { ACROSS, type Across, compareRuns } from '@promptkeep/evals'
import type { Command } from 'commander'
import { formatComparison } from '../compare-output.ts'
import { type EvalRunsFlags, withEvalRuns } from '../eval-runs.ts'
import type { Io } from '../io.ts'
import { printJson, registryCommand } from '../registry-command.ts'
import { createStyle } from '../style.ts'
import { writeReports } from '../write-reports.ts'

interface CompareFlags extends EvalRunsFlags {
  readonly suite?: string
  readonly margin?: number
  readonly markdown?: string
  readonly html?: string
  readonly across?: readonly Across[]
}

export const compare = (io: Io): Command =>
  registryCommand(
    'compare',
    'Compare two runs of a suite case by case: is the first no worse than the second?',
    'compare latest previous --suite tone',
    'compare 3f9ac21e 77b01f3d',
    'compare 3f9ac21e previous --across model',
  )
    .argument('<candidate>', 'run: its id, 8 characters of it or more, or latest')
    .argument('<baseline>', 'run it is compared with: the same, or previous (the one before the candidate)')
    .option('--suite <name>', 'take latest from the runs of this suite')
    .option('--margin <difference>', "let it be this much worse, instead of the suite's margins", margin)
    .option(
      '--across <what>',
      `let these differ on purpose, by commas: ${ACROSS.join(', ')} (more than one prompt)`,
      across,
    )
    .option('--markdown <file>', 'write the comparison as Markdown, fit for a pull request')
    .option('--html <file>', 'write the comparison as one HTML file with charts')
    .option('--experiment <name>', 'read this MLflow experiment (default: MLFLOW_EXPERIMENT_NAME)')
    .addHelpText(
      'after',
      '\nExit codes: 0 no worse by the margins; 1 worse; 2 cannot tell (too few cases, not comparable, no evidence).\nIt promotes nothing: promptkeep promote does, by evidence of its own.',
    )
    .action(async (candidate: string, baseline: string, flags: CompareFlags) => {
      const comparison = await withEvalRuns(io, flags, ({ tracking, experiment }) =>
        compareRuns(candidate, baseline, { experiment, ...pick(flags) }, { tracking }),
      )
      if (flags.json) printJson(io, comparison)
      else io.out.write(formatComparison(comparison, createStyle(io.out, io.env)))
      const { suite, baseline: against } = comparison
      const title = `${suite}: ${comparison.candidate.id.slice(0, 8)} against ${against.id.slice(0, 8)}`
      await writeReports(io, flags, { reports: [], comparisons: [comparison], title })
      io.setExitCode(comparison.exitCode)
    })

const pick = ({ suite, margin, across }: CompareFlags) => ({ suite, margin, across })

function margin(text: string): number {
  const value = Number(text)
  return text.trim() !== '' && value > 0 && value < 1
    ? value
    : refuse('--margin', text, 'a number above 0 and below 1')
}

const across = (text: string): readonly Across[] =>
  text.split(',').map((given) => {
    const found = ACROSS.find((one) => one === given.trim())
    return found ?? refuse('--across', given, `one or more of ${ACROSS.join(', ')}`)
  })
