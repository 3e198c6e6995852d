import type { Change, Logger } from '@promptkeep/client/protocol'

/**
 * One line of the server's log for each change that a request made. What was answered again, because the request was
 * sent again, is told already: that is a line of its own, for debugging.
 *
 * @param last - The last change of the log before the request, when it may be one that is sent again.
 */
export function logChanges(
  c: { get(key: 'requestId' | 'correlationId'): string | undefined },
  log: Logger,
  made: readonly Change[],
  last = 0,
): void {
  for (const { seq, kind, prompt, alias, from, to, actor, forced, restores } of made) {
    const ids = { requestId: c.get('requestId'), correlationId: c.get('correlationId') }
    const isNew = seq === undefined || seq > last
    log[isNew ? 'info' : 'debug'](
      { ...ids, prompt, alias, from, to, actor, forced, restores },
      isNew ? kind : 'alias.move_repeated',
    )
  }
}
