import { fileURLToPath } from 'node:url'
import { isAbsence, isOutage, type Lineage, type Prompt } from '@promptkeep/client'
import type { EvalRegistry } from './aliases.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { scaleOf } from './judge-answer.ts'
import type { JudgeQuestion } from './scorers/services.ts'

/** What ships with this package for a user to register; it answers nothing by itself. */
export const DEFAULT_JUDGE_PROMPT = 'eval-judge'
const SHIPPED = new URL('../prompts/eval-judge.md', import.meta.url)

export interface JudgePrompts {
  /**
   * One version of a prompt for the whole run: whatever the first load answered.
   * @throws {EvalFailure}
   */
  get(name: string): Promise<Prompt>
  /** Those that were loaded so far. */
  lineages(): Readonly<Record<string, Lineage>>
}

/** @param alias - The alias that judges are loaded by, whatever the candidate's is. */
export function createJudgePrompts(registry: Pick<EvalRegistry, 'load'>, alias: string): JudgePrompts {
  const pinned = new Map<string, Promise<Prompt>>()
  const lineages: Record<string, Lineage> = {}

  async function load(name: string): Promise<Prompt> {
    const prompt = await registry.load(name, { alias }).catch((error: unknown): never => {
      throw noPrompt(name, alias, error)
    })
    const { version, digest, source, ageMs } = prompt
    if (source !== 'registry' && source !== 'cache') {
      const from = `the judge's prompt ${name} was answered from ${source}, which is no evidence`
      throw new EvalFailure('INFRASTRUCTURE', `${from}: the registry did not answer`)
    }
    checkPrompt(prompt)
    lineages[name] = { version, digest, source, ageMs, alias: prompt.alias ?? alias }
    return prompt
  }

  return {
    get(name) {
      const known = pinned.get(name)
      if (known) return known
      const loading = load(name)
      pinned.set(name, loading)
      // An outage is no answer: the next case may ask again.
      loading.catch(() => pinned.delete(name))
      return loading
    },
    lineages: () => ({ ...lineages }),
  }
}

function noPrompt(name: string, alias: string, error: unknown): EvalFailure {
  const why = `the judge's prompt ${name}@${alias} cannot be loaded: ${messageOf(error)}`
  if (!isAbsence(error)) {
    return new EvalFailure(isOutage(error) ? 'INFRASTRUCTURE' : 'CONFIGURATION', why, { cause: error })
  }
  const file = name === DEFAULT_JUDGE_PROMPT ? fileURLToPath(SHIPPED) : `${name}.md`
  const command = `promptkeep register ${name} --file ${quoted(file)} --alias ${alias}`
  return new EvalFailure('CONFIGURATION', `${why}; register it: ${command}`, { cause: error })
}

/** For a shell. */
const quoted = (path: string): string =>
  /^[\w@%+=:,./\\-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`

/** What a judge's prompt may ask for, and what it must: a judge that does not see the answer judges nothing. */
const VARIABLES = ['rubric', 'input', 'output', 'expected', 'conversation', 'scale']
const REQUIRED = ['rubric', 'output']

function checkPrompt({ name, version, variables, modelConfig, responseFormat }: Prompt): void {
  const wrong = (what: string) =>
    new EvalFailure('CONFIGURATION', `the judge's prompt ${name} v${version} ${what}`)
  const missing = REQUIRED.find((variable) => !variables.includes(variable))
  if (missing) throw wrong(`does not use {{ ${missing} }}, so the judge would not see it`)
  const unknown = variables.find((variable) => !VARIABLES.includes(variable))
  if (unknown) throw wrong(`asks for {{ ${unknown} }}; a judge is given ${VARIABLES.join(', ')}`)
  if (modelConfig?.temperature === 0)
    throw wrong(
      'has a temperature of 0: its draws would be one and the same opinion, and agree by that alone',
    )
  if (responseFormat)
    throw wrong('has a response format of its own; the scorer decides that, by its option grades')
}

/**
 * Values for the prompt: the rubric as its author wrote it, and as JSON what others wrote, so that none of it can end the
 * place where it stands and go on as if it were the prompt.
 * @throws {EvalFailure} The question holds what the prompt does not show.
 */
export function valuesFor(prompt: Prompt, question: JudgeQuestion): Readonly<Record<string, string>> {
  const { rubric, input, output, expected, messages, grades } = question
  const all: Readonly<Record<string, string>> = {
    rubric,
    input: asData(input),
    output: asData(output),
    expected: asData(expected ?? null),
    conversation: asData(messages?.map(({ role, content }) => ({ role, content })) ?? null),
    scale: scaleOf(grades),
  }
  const unseen = [
    ...(expected === undefined ? [] : ['expected']),
    ...(messages === undefined ? [] : ['conversation']),
  ].find((variable) => !prompt.variables.includes(variable))
  if (unseen) {
    const what = `the judge's prompt ${prompt.name} v${prompt.version} does not use {{ ${unseen} }}`
    throw new EvalFailure('CONFIGURATION', `${what}, and the suite gives it to the judge`)
  }
  return Object.fromEntries(Object.entries(all).filter(([variable]) => prompt.variables.includes(variable)))
}

/** Without angle brackets: a prompt may well put tags around it. */
const asData = (value: unknown): string =>
  JSON.stringify(value).replace(/[<>\u2028\u2029]/g, (sign) => {
    return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
