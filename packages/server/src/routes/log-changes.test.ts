import type { Change, Logger } from '@promptkeep/client/protocol'
import { expect, it } from 'vitest'
import { logChanges } from './log-changes.ts'

const made: Change[] = [
  { seq: 4, kind: 'rollout.changed', prompt: 'memory', alias: 'production', to: 2, at: 1, actor: 'ann' },
  { seq: 5, kind: 'alias.moved', prompt: 'memory', alias: 'production', from: 2, to: 1, at: 1, restores: 3 },
]

function told(last?: number) {
  const lines: unknown[][] = []
  const at = (level: string) => (fields: object, event?: string) => lines.push([level, event, fields])
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } as Logger
  const c = { get: (key: 'requestId' | 'correlationId') => `of ${key}` }
  logChanges(c, log, made, last)
  return lines
}

it('tells every change with the request that made it', () => {
  const ids = { requestId: 'of requestId', correlationId: 'of correlationId' }
  expect(told()).toEqual([
    ['info', 'rollout.changed', expect.objectContaining({ ...ids, prompt: 'memory', to: 2, actor: 'ann' })],
    ['info', 'alias.moved', expect.objectContaining({ ...ids, from: 2, to: 1, restores: 3 })],
  ])
})

it('tells for debugging what an earlier sending of the request made', () => {
  expect(told(4).map(([level, event]) => [level, event])).toEqual([
    ['debug', 'alias.move_repeated'],
    ['info', 'alias.moved'],
  ])
})
