import type { FollowOptions } from './follow-api.ts'
import { checkObject, isAtLeast, refuse } from './refuse.ts'

/** @throws {InvalidInput} */
export function readFollowOptions(options: FollowOptions) {
  checkObject(options, 'options')
  const { pollIntervalSeconds = 15, onChange, report, signal } = options
  if (!isAtLeast(pollIntervalSeconds, 1))
    refuse('pollIntervalSeconds', pollIntervalSeconds, 'a number of seconds from 1')
  if (onChange !== undefined && typeof onChange !== 'function')
    refuse('onChange', onChange, 'a function (change)')
  if (signal !== undefined && typeof signal?.addEventListener !== 'function')
    refuse('signal', signal, 'an AbortSignal')
  if (report !== undefined) {
    checkObject(report, 'report')
    for (const [key, value] of Object.entries(report)) {
      if (value !== undefined && (typeof value !== 'string' || !/^[\w.:@/-]{1,100}$/.test(value)))
        refuse(`report.${key}`, value, 'at most 100 letters, digits and _ . : @ / -')
    }
    if (report.app === undefined) refuse('report.app', report.app, 'the name of the app')
  }
  return { pollMs: pollIntervalSeconds * 1000, onChange, report, signal }
}
