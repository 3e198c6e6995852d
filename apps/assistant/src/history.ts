import type { AgentInputItem } from '@openai/agents'
import { countTokens } from './tokens.ts'

/** What a chat format adds to each message around its text, in tokens. */
const OVERHEAD = 4

/**
 * The newest part of a conversation that fits a budget. It is cut between messages and never inside what belongs
 * together: calls of tools, made at once or one after another, stay with their results, because an endpoint refuses
 * either without the other. A call that was never answered (its turn was cancelled) is left out, wherever it is.
 *
 * @param items - Oldest first; the message that is about to be sent is not among them.
 * @param budgetTokens - 0 sends no history.
 */
export function selectHistory(items: readonly AgentInputItem[], budgetTokens: number): AgentInputItem[] {
  let left = budgetTokens
  const kept: AgentInputItem[][] = []
  for (const unit of unitsOf(items).reverse()) {
    left -= unit.reduce((sum, item) => sum + tokensOf(item), 0)
    if (left < 0) break
    kept.push(unit)
  }
  return kept.reverse().flat()
}

/** What one item costs, in tokens. */
export function tokensOf(item: AgentInputItem): number {
  if (item.type === 'function_call') return OVERHEAD + countTokens(item.name) + countTokens(item.arguments)
  if (item.type === 'function_call_result') return OVERHEAD + countTokens(textOf(item.output))
  return (
    OVERHEAD + ('content' in item ? countTokens(textOf(item.content)) : countTokens(JSON.stringify(item)))
  )
}

const textOf = (content: unknown) => (typeof content === 'string' ? content : JSON.stringify(content))

/** Groups that may not be parted: one message each, or calls with all of their results. */
function unitsOf(items: readonly AgentInputItem[]): AgentInputItem[][] {
  const called = new Set(items.flatMap((item) => (item.type === 'function_call' ? [item.callId] : [])))
  const answered = new Set(
    items.flatMap((item) => (item.type === 'function_call_result' ? [item.callId] : [])),
  )
  const units: AgentInputItem[][] = []
  let calls: AgentInputItem[] | undefined
  for (const item of items) {
    if (item.type === 'function_call' || item.type === 'function_call_result') {
      if (!called.has(item.callId) || !answered.has(item.callId)) continue
      if (!calls) {
        calls = []
        units.push(calls)
      }
      calls.push(item)
    } else {
      calls = undefined
      units.push([item])
    }
  }
  return units
}
