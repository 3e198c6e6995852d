import { RunContext, tool } from '@openai/agents'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { AssistantContext, AssistantTool } from './context.ts'
import { failed, observeTool } from './observe-tool.ts'
import { createRunRecord, type ToolStatus } from './run-record.ts'

/** One call of a tool that returns `result`, as the record and the model see it. */
async function callOf(result: unknown) {
  const told: ToolStatus[] = []
  const record = createRunRecord((status) => told.push(status))
  const observed = observeTool(
    'Agent',
    tool({
      name: 'act',
      description: 'Acts.',
      parameters: z.object({}),
      execute: async () => result,
    }) as AssistantTool,
  )
  const read = await observed.invoke(new RunContext({ record } as AssistantContext), '{}')
  return { read, ok: told.at(-1)?.ok, noted: record.toolCalls()[0]?.result }
}

describe('observeTool', () => {
  it('tells a failure that is marked, and hands its text alone to the model', async () => {
    expect(await callOf(failed('No such place.'))).toEqual({
      ...{ read: 'No such place.', ok: false, noted: 'No such place.' },
    })
  })

  it('tells a failure that says so in JSON', async () => {
    expect(await callOf(JSON.stringify({ success: false }))).toMatchObject({ ok: false })
  })

  it.each([['sunny'], ['{"ok":false}'], ['{"success":true}']])('takes %j for a success', async (result) => {
    expect(await callOf(result)).toMatchObject({ read: result, ok: true })
  })
})
