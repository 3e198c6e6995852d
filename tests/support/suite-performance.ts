import type { Case } from '@promptkeep/evals'
import type { Act, HandOver, Moment, Performance } from './scripted-assistant.ts'

/** Good answers by the case's id: to its last message, or to each. */
export type Answers = Readonly<Record<string, string | readonly string[]>>

/** One message of a case, and what a good assistant does with it. */
export interface Scene {
  readonly testCase: Case
  /** From 1. */
  readonly turn: number
  readonly isLast: boolean
  readonly instructions: string
}

export interface Play {
  readonly cases: readonly Case[]
  readonly answers: Answers
  /** To what `answers` is silent about. */
  readonly otherwise: string
  /** What is done worse, for tests of what a suite finds. */
  readonly defect?: ((scene: Scene, good: Act) => Act) | undefined
}

const OPENED = /^\[System: the user has just opened/
/** What an earlier turn is answered with where only the last one counts. */
const EARLIER = 'Very well.'

/**
 * Plays the cases of a suite as a good assistant would: it hands over what a case expects to be handed over, with what the user
 * said, saves what is to be saved, and answers as written. Its judge likes what is in the script, and nothing else.
 */
export function performanceOf({ cases, answers, otherwise, defect }: Play): Performance {
  const good = new Set([EARLIER, otherwise, ...Object.values(answers).flat()])
  for (const { expected } of cases) good.add(fromExpected(expected, otherwise))
  return {
    act(moment) {
      const scenes = scenesOf(cases, moment)
      const [scene] = scenes
      if (!scene) throw new Error(`no case goes: ${JSON.stringify([...moment.before, moment.message])}`)
      if (scenes.length > 1) {
        const act = { handOvers: [LOOK], answer: byMemories(scenes, answers, otherwise) }
        return defect ? defect(scene, act) : act
      }
      const { testCase, turn, isLast } = scene
      const given = answers[testCase.id]
      const answer =
        typeof given === 'object'
          ? (given[turn - 1] ?? otherwise)
          : isLast
            ? (given ?? fromExpected(testCase.expected, otherwise))
            : EARLIER
      const act = { handOvers: handOversOf(scene), answer }
      return defect ? defect(scene, act) : act
    },
    opinion({ answer, conversation }) {
      const said =
        conversation?.filter(({ role }) => role === 'assistant').map(({ content }) => content) ?? []
      return [answer, ...said].every((text) => good.has(text)) ? 1 : 0
    },
  }
}

export const turnsOf = ({ input, turns }: Case): readonly string[] => turns ?? [input ?? '']

function scenesOf(cases: readonly Case[], { message, before, instructions }: Moment): Scene[] {
  const said = [...before, message]
  const isSo = (text: string | undefined, heard: string) =>
    text === '' ? OPENED.test(heard) : text === heard
  return cases
    .filter((one) => said.every((heard, i) => isSo(turnsOf(one)[i], heard)))
    .map((testCase) => {
      const isLast = said.length === turnsOf(testCase).length
      return { testCase, turn: said.length, isLast, instructions }
    })
}

/** Whoever opens a conversation without a word is known by what is remembered of them alone. */
const LOOK: HandOver = {
  to: 'memory',
  request: 'What is close or unfinished?',
  calls: [{ name: 'query_memory_tool', arguments: { query: '' } }],
}

const byMemories =
  (scenes: readonly Scene[], answers: Answers, otherwise: string) =>
  (results: readonly string[]): string => {
    const found = results.join('\n')
    const first = ({ testCase: { seed } }: Scene) =>
      (seed?.memories as readonly { readonly content: string }[] | undefined)?.[0]?.content
    const scene =
      scenes.find((one) => found.includes(first(one) ?? '\0')) ?? scenes.find((one) => !first(one))
    return scene ? String(answers[scene.testCase.id] ?? otherwise) : otherwise
  }

/** A suite that looks at calls alone says what of the answer matters. */
function fromExpected(expected: Case['expected'], otherwise: string): string {
  const { contains } = (expected ?? {}) as { contains?: readonly string[] }
  return contains ? `${contains.join(', ')}.` : otherwise
}

type Wanted = string | { readonly tool: string }
interface Expected {
  readonly delegations?: readonly HandOver['to'][]
  readonly tool_calls?: readonly Wanted[]
  readonly extraction?: { readonly items: readonly (string | readonly string[])[] }
}

function handOversOf({ testCase, turn, isLast }: Scene): HandOver[] {
  const turns = turnsOf(testCase)
  const { delegations = [], tool_calls = [], extraction } = (testCase.expected ?? {}) as Expected
  const saved = (extraction?.items ?? [])
    .map((item) => [item].flat().join(', '))
    .filter((item) => turns[turn - 1]?.includes(item))
    .map((item) => callOf('save_memory_tool', `The user mentioned ${item}.`))
  if (saved.length > 0) return [{ to: 'memory', request: 'Keep this, please.', calls: saved }]
  if (!isLast) return []
  const text = turns.join(' ').replace(/\s+/g, ' ')
  return delegations.map((to) => ({
    to,
    request: text,
    calls: tool_calls
      .map((wanted) => (typeof wanted === 'string' ? wanted : wanted.tool))
      .filter((tool) => SPECIALIST_OF[tool] === to)
      .map((tool) => callOf(tool, text)),
  }))
}

const SPECIALIST_OF: Readonly<Record<string, HandOver['to']>> = {
  save_memory_tool: 'memory',
  query_memory_tool: 'memory',
  delete_memory_tool: 'memory',
  get_weather: 'weather',
}

export const callOf = (name: string, text: string): HandOver['calls'][number] => ({
  name,
  arguments:
    name === 'save_memory_tool'
      ? { content: text, memory_type: 'fact', confidence: 0.95 }
      : name === 'query_memory_tool'
        ? { query: text }
        : name === 'delete_memory_tool'
          ? { description: text }
          : { location: text },
})
