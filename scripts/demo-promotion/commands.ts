import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const COMMAND = fileURLToPath(new URL('../../packages/cli/bin/promptkeep.js', import.meta.url))
const FOLDER = fileURLToPath(new URL('./', import.meta.url))

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs `promptkeep <args>` as a person would, in the folder of the demo's suites. */
export function promptkeep(env: Readonly<Record<string, string>>, args: readonly string[]): Promise<Ran> {
  const { PATH = '', HOME = '' } = process.env
  return new Promise((resolve) => {
    const options = { cwd: FOLDER, env: { PATH, HOME, ...env } }
    execFile(process.execPath, [COMMAND, ...args], options, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 2
      resolve({ code, out, err })
    })
  })
}

/** One step of the demo. */
export interface Step {
  /** What happens, for a reader. */
  readonly title: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly code: 0 | 1 | 2
  /** What it must say. */
  readonly says: RegExp
}

/** @returns false when it did not come out as told */
export async function show(step: Step, print: (text: string) => void): Promise<boolean> {
  print(`\n${step.title}\n  $ promptkeep ${step.args.map(quoted).join(' ')}\n`)
  const { code, out, err } = await promptkeep(step.env, step.args)
  const text = code === step.code ? `${out}${out === '' ? err : ''}` : `${err}${out}`
  print(indented(text))
  print(`  -> exit ${code}\n`)
  if (code === step.code && step.says.test(`${out}${err}`)) return true
  print(`  !! NOT AS TOLD: it should be exit ${step.code} and say ${step.says}\n`)
  return false
}

const quoted = (arg: string): string => (/^[\w./:=@-]+$/.test(arg) ? arg : JSON.stringify(arg))

const MAX_LINE = 260

/** Long lists are for the report. */
const indented = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `  | ${line.length > MAX_LINE ? `${line.slice(0, MAX_LINE - 1)}…` : line}\n`)
    .join('')
