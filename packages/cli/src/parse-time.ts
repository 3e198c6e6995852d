import { refuse } from '@promptkeep/client/protocol'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** What may be typed for a time, as it stands in the help. */
export const TIME_FORMS = '2h or 3d ago, 14:03 today, 2026-11-20, "2026-11-20 14:03", or ISO 8601'

/**
 * A time as people type it, in milliseconds since the epoch. Without a zone it is local, as the clock on the wall.
 * @param now - Milliseconds since the epoch.
 * @param isEnd - A day alone means its end: for the last moment of a range.
 */
export const pointInTime =
  (field: string, now: () => number, isEnd = false) =>
  (text: string): number => {
    const [, ago, unit] = /^(\d{1,6})\s*([smhdw])(?: ago)?$/.exec(text) ?? []
    if (ago !== undefined && unit !== undefined) return now() - Number(ago) * (UNITS[unit] ?? 0) * 1000
    const [, hours, minutes, seconds = '0'] = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text) ?? []
    if (Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) < 60)
      return new Date(now()).setHours(Number(hours), Number(minutes), Number(seconds), 0)
    // JavaScript takes the 31st of November for the 1st of December.
    const [day = ''] = /^\d{4}-\d{2}-\d{2}/.exec(text) ?? []
    if (day !== '' && !isDay(day)) return checked(Number.NaN)
    if (text === day && day !== '') {
      // A date alone is UTC to JavaScript; to a person it is the day that they live in.
      const day = new Date(`${text}T00:00:00`)
      return checked(isEnd ? day.setDate(day.getDate() + 1) - 1 : day.getTime())
    }
    // As `history` prints them, too: "2026-11-20 14:03 UTC".
    const iso = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(text)
      ? text.replace(' UTC', 'Z').replace(' ', 'T')
      : ''
    return checked(Date.parse(iso))

    function checked(at: number): number {
      return Number.isNaN(at) ? refuse(field, text, `a time: ${TIME_FORMS}`) : at
    }
  }

function isDay(day: string): boolean {
  const at = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(day)
}

/** `90d` as seconds. */
export const duration =
  (field: string) =>
  (text: string): number => {
    const [, count, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? []
    const seconds = Number(count) * (UNITS[unit] ?? 0)
    return seconds > 0 ? seconds : refuse(field, text, 'a time such as 12h, 90d or 4w')
  }

/** Seconds in the largest unit that fits: `90d`. */
export function durationText(seconds: number): string {
  const fitting = Object.entries(UNITS).filter(([unit, size]) => unit !== 'w' && seconds % size === 0)
  const [unit, size] = fitting.at(-1) ?? ['s', 1]
  return `${seconds / size}${unit}`
}
