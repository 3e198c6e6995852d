import type { ModuleScorer } from '@promptkeep/evals'
import { z } from 'zod'

/** What a memory says, by words that any wording of it has; a list: all of them in one memory. */
const Item = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)])
type Item = z.infer<typeof Item>

/** A case's `expected.retrieval`. */
const Retrieval = z.strictObject({
  /** What has to be found. */
  items: z.array(Item),
  /** What may be found beside it. */
  also: z.array(Item).default([]),
})
/** A case's `expected.apart`: what belongs to somebody else. */
const Apart = z.array(Item).min(1)
/** A case's `expected.extraction`, as far as it is read here. */
const Saved = z.looseObject({ items: z.array(Item) })

type Calls = Parameters<ModuleScorer>[0]['toolCalls']

/** Of each search only the first few count: what comes later is what a model may pass over. */
const FIRST = 5

const Found = z.object({ memories: z.array(z.object({ content: z.string() })) })

/** What the searches of a case brought up, each memory once. */
function retrieved(calls: Calls): string[] {
  const found = calls
    .filter(({ name }) => name === 'query_memory_tool')
    .flatMap(({ result }) => Found.safeParse(result).data?.memories.slice(0, FIRST) ?? [])
  return [...new Set(found.map(({ content }) => content))]
}

/** The share of the memories a case is about that were among the first five of a search. */
export const recallAt5: ModuleScorer = ({ toolCalls, expected }) => {
  const { items } = Retrieval.parse(expected)
  const found = retrieved(toolCalls)
  const missing = items.filter((item) => !found.some((text) => says(text, item)))
  return {
    score: items.length === 0 ? 1 : (items.length - missing.length) / items.length,
    reason: missing.length === 0 ? 'all were found' : `not found: ${missing.map(labelOf).join('; ')}`,
  }
}

/** The share of what the searches brought up (five each) that the case is about; 1 when they brought up nothing. */
export const precisionAt5: ModuleScorer = ({ toolCalls, expected }) => {
  const { items, also } = Retrieval.parse(expected)
  const found = retrieved(toolCalls)
  const beside = found.filter((text) => ![...items, ...also].some((item) => says(text, item)))
  return {
    score: found.length === 0 ? 1 : (found.length - beside.length) / found.length,
    reason:
      beside.length === 0 ? `${found.length} found, none beside the point` : `found ${beside.join('; ')}`,
  }
}

/** 1 when nothing of somebody else was found or said. */
export const keepsApart: ModuleScorer = ({ toolCalls, messages, expected }) => {
  const places = [
    ...toolCalls.map(({ name, result }) => ({ where: name, text: JSON.stringify(result) ?? '' })),
    ...messages
      .filter(({ role }) => role === 'assistant')
      .map(({ content }) => ({ where: 'the answer', text: content })),
  ]
  for (const item of Apart.parse(expected)) {
    const place = places.find(({ text }) => says(text, item))
    if (place) return { score: 0, reason: `${place.where} says ${labelOf(item)}, which is another user's` }
  }
  return { score: 1, reason: "nothing of another user's" }
}

/**
 * 1 when nothing was saved that the case does not want saved, a half when one thing was, 0 from two on: a mean of 0.75 is at most
 * one false memory in two cases.
 */
export const savesNothingElse: ModuleScorer = ({ toolCalls, expected }) => {
  const { items } = Saved.parse(expected)
  const extra = toolCalls
    .filter(({ name }) => name === 'save_memory_tool')
    .map((call) => String((call.arguments as { content?: unknown } | null)?.content))
    .filter((content) => !items.some((item) => says(content, item)))
  return {
    score: Math.max(0, 1 - extra.length / 2),
    reason: extra.length === 0 ? 'nothing else was saved' : `also saved ${extra.join('; ')}`,
  }
}

const words = (item: Item): readonly string[] => (typeof item === 'string' ? [item] : item)
const labelOf = (item: Item): string => words(item).join(' + ')
const plain = (text: string): string => text.normalize('NFKC').replace(/’/g, "'").toLowerCase()
const says = (text: string, item: Item): boolean =>
  words(item).every((word) => plain(text).includes(plain(word)))
