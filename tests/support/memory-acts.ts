import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Case } from '@promptkeep/evals'
import { parse } from 'yaml'
import type { Act, HandOver, Performance, ScriptedCall } from './scripted-assistant.ts'
import { turnsOf } from './suite-performance.ts'

/** What a good assistant does with one message: whom it asks for what, and what it says. */
export interface Deed {
  /** Searches of the memory; an empty one lists what there is. */
  readonly query?: string | readonly string[]
  readonly save?: string | readonly string[]
  /** Looks for what is to be ended, and does no more. */
  readonly find?: string
  /** Looks for a memory and ends the one that holds these words. */
  readonly forget?: { readonly find: string; readonly holds: string }
  readonly correct?: { readonly find: string; readonly holds: string; readonly save: string }
  /** Places. */
  readonly weather?: string | readonly string[]
  /** `$results` is what the specialists came back with. */
  readonly say: string
}

/** By the case's id, a deed for each message. */
export type Deeds = Readonly<Record<string, readonly Deed[]>>

export const readDeeds = async (suite: string): Promise<Deeds> =>
  parse(
    await readFile(fileURLToPath(new URL(`./eval-deeds/${suite}.yaml`, import.meta.url)), 'utf8'),
  ) as Deeds

/** Where a performance is: which message of which case. */
export interface Place {
  readonly testCase: Case
  /** From 1. */
  readonly turn: number
}

/**
 * Plays the cases of a suite by their deeds. The judge likes what a good deed said, word by word, and nothing else.
 * @param worse - What is done otherwise, for tests of what a suite finds.
 * @throws {Error} when two messages of a suite are the same: then nobody can tell which case is on.
 */
export function perform(
  cases: readonly Case[],
  deeds: Deeds,
  worse?: (place: Place, good: Deed) => Deed,
): Performance {
  const places = new Map<string, Place>()
  for (const testCase of cases)
    for (const [index, message] of turnsOf(testCase).entries()) {
      if (places.has(message)) throw new Error(`two cases say ${JSON.stringify(message)}`)
      places.set(message, { testCase, turn: index + 1 })
    }
  const good = new Set<string>()
  return {
    act({ message }) {
      const place = places.get(message)
      if (!place) throw new Error(`no case says ${JSON.stringify(message)}`)
      const best = deeds[place.testCase.id]?.[place.turn - 1]
      const deed = worse ? worse(place, best ?? SILENT) : best
      if (!deed) throw new Error(`${place.testCase.id} has no deed for message ${place.turn}`)
      return actOf(message, deed, (said) => {
        if (deed === best) good.add(said)
      })
    },
    opinion({ answer, conversation }) {
      const said = conversation?.filter(({ role }) => role === 'assistant') ?? []
      return [answer, ...said.map(({ content }) => content)].every((text) => good.has(text)) ? 1 : 0
    },
  }
}

const SILENT: Deed = { say: '' }

function actOf(message: string, deed: Deed, heard: (said: string) => void): Act {
  const weather = listOf(deed.weather).map((location) => ({
    name: 'get_weather',
    arguments: { location, include_forecast: true, forecast_days: 5 },
  }))
  const memory: HandOver[] = memoryOf(message, deed)
  return {
    handOvers: [
      ...memory,
      ...(weather.length > 0 ? [{ to: 'weather', request: message, calls: weather } as const] : []),
    ],
    answer(results) {
      const said = deed.say.replace('$results', () => results.join(' '))
      heard(said)
      return said
    },
  }
}

function memoryOf(request: string, { query, save, find, forget, correct }: Deed): HandOver[] {
  const ending = forget ?? correct
  const calls: ScriptedCall[] = [
    ...listOf(query).map((text) => ({ name: 'query_memory_tool', arguments: { query: text } })),
    ...listOf(save).map((content) => ({ name: 'save_memory_tool', arguments: statement(content) })),
    ...listOf(find ?? ending?.find).map((description) => ({
      name: 'delete_memory_tool',
      arguments: { description },
    })),
  ]
  if (calls.length === 0) return []
  if (!ending) return [{ to: 'memory', request, calls }]
  return [
    {
      ...{ to: 'memory', request, calls },
      next(results) {
        const id = idOf(results, ending.holds)
        // what the second round came back with offers nothing more to end
        if (id === undefined) return []
        return correct
          ? [{ name: 'save_memory_tool', arguments: { ...statement(correct.save), replaces_id: id } }]
          : [{ name: 'delete_memory_tool', arguments: { description: ending.find, id } }]
      },
    },
  ]
}

const statement = (content: string) => ({ content, memory_type: 'fact', confidence: 0.95, importance: 0.5 })

function idOf(results: readonly string[], words: string): string | undefined {
  for (const text of results) {
    const { candidates = [] } = JSON.parse(text) as {
      candidates?: readonly { readonly id: string; readonly content: string }[]
    }
    const found = candidates.find(({ content }) => content.includes(words))
    if (found) return found.id
  }
  return undefined
}

const listOf = (given: string | readonly string[] | undefined): readonly string[] =>
  given === undefined ? [] : typeof given === 'string' ? [given] : given
