import { readdir } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { checkName } from '@promptkeep/client/protocol'
import { type CheckedSuite, check, type LoadedSuite, loadSuite, loadSuites } from '@promptkeep/evals'
import type { Command } from 'commander'
import { formatCheck } from '../check-output.ts'
import { type EvalRunsFlags, withEvalRuns } from '../eval-runs.ts'
import type { Io } from '../io.ts'
import { duration } from '../parse-time.ts'
import { aliasName, openAdmin, printJson, registryCommand, withRegistry } from '../registry-command.ts'
import { createStyle } from '../style.ts'

interface CheckFlags extends EvalRunsFlags {
  readonly alias?: string
  readonly to: string
  readonly prompt?: readonly string[]
  readonly maxAge?: number
  readonly evals?: string
}

/** The folder of suites that are checked when none is named. */
const SUITES = 'evals'

export const checkCommand = (io: Io): Command =>
  registryCommand(
    'check',
    'Check that what an alias says is judged and no worse, by the runs that are there: for CI',
    'check',
    'check tone routing --alias experiment --max-age 12h',
    'check evals/tone.yaml --prompt memory',
  )
    .argument(
      '[suite...]',
      `suites by name, or manifests (default: all of ./${SUITES}, else all that were run)`,
    )
    .option(
      '--alias <alias>',
      'check what has this alias (default: experiment, else what --to says)',
      aliasName('--alias'),
    )
    .option('--to <alias>', 'compare with what has this alias', aliasName('--to'), 'production')
    .option('--prompt <name...>', 'check only these prompts')
    .option(
      '--max-age <time>',
      'take runs that are at most this old, such as 12h (default: 24h)',
      duration('--max-age'),
    )
    .option('--evals <folder>', `read suites from this folder (default: ${SUITES}, if there is one)`)
    .option('--experiment <name>', 'read this MLflow experiment (default: MLFLOW_EXPERIMENT_NAME)')
    .addHelpText(
      'after',
      '\nExit codes: 0 judged and no worse; 1 not good enough; 2 cannot tell (no run about it, stale, invalid, too few cases).\nIt runs and moves nothing: what is missing, promptkeep eval runs.',
    )
    .action(async (named: string[], flags: CheckFlags) => {
      const { alias, to, prompt: prompts, maxAge } = flags
      for (const name of prompts ?? []) checkName(name)
      const suites = await suitesOf(named, flags, io.cwd)
      const notes: string[] = []
      const found = await withEvalRuns(io, flags, ({ tracking, experiment }) =>
        withRegistry(io, flags, async (registry) => {
          const { server, version } = await openAdmin(io, flags).capabilities()
          if (server !== 'promptkeep')
            notes.push(`this registry is stock MLflow ${version}: nobody checks who logged a run`)
          const maxAgeMs = maxAge === undefined ? undefined : maxAge * 1000
          return check(
            { experiment, suites, alias, to, prompts, maxAgeMs },
            { registry, tracking, now: io.now },
          )
        }),
      )
      const all = { ...found, notes: [...notes, ...found.notes] }
      if (flags.json) printJson(io, all)
      else io.out.write(formatCheck(all, createStyle(io.out, io.env)))
      io.setExitCode(found.exitCode)
    })

/** A name that no file of the folder has may be that of a suite which was run elsewhere. */
async function suitesOf(
  named: readonly string[],
  { evals }: CheckFlags,
  cwd: string,
): Promise<(CheckedSuite | string)[]> {
  const folder = evals ?? SUITES
  const needsFolder = named.length === 0 || named.some((name) => !isManifest(name))
  const isThere = evals !== undefined || (await hasManifests(resolve(cwd, folder)))
  const known = needsFolder && isThere ? await loadSuites({ folder, cwd }, { fetch }) : []
  if (named.length === 0) return known.map((suite) => from(cwd, suite))
  return Promise.all(
    named.map(async (name) => {
      const path = relative('', resolve(cwd, name))
      const found = isManifest(name)
        ? await loadSuite({ suite: path }, { fetch })
        : known.find(({ suite }) => suite.name === name)
      return found ? from(cwd, found) : name
    }),
  )
}

const isManifest = (name: string): boolean => /\.ya?ml$/.test(name)

const hasManifests = async (folder: string): Promise<boolean> =>
  (await readdir(folder).catch(() => [])).some(isManifest)

/** With its path as the person would type it. */
const from = (cwd: string, { options, ...suite }: LoadedSuite): CheckedSuite => ({
  ...suite,
  options: { suite: relative(cwd, resolve(options.suite)) },
})
