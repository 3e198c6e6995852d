import { z } from 'zod'
import { type Deadline, type WeatherClient, WeatherError } from './weather-client.ts'

export interface Place {
  readonly lat: string
  readonly lon: string
  /** As the geocoder writes it, e.g. `Springfield, Illinois, US`; absent for coordinates. */
  readonly label?: string
  /** Other places of this name. */
  readonly others: readonly string[]
}

export interface Current {
  readonly place: string
  readonly description: string
  readonly celsius: number
  readonly feelsLikeCelsius: number
  readonly humidityPercent: number
  readonly windMetresPerSecond: number
  /** The place's offset from UTC; absent when the provider doesn't say. */
  readonly utcOffsetSeconds?: number | undefined
}

export interface ForecastDay {
  /** `YYYY-MM-DD` in the place's own time zone. */
  readonly date: string
  readonly description: string
  readonly highCelsius: number
  readonly lowCelsius: number
  readonly precipitationPercent: number
}

export interface Report {
  readonly place: Place
  /** `YYYY-MM-DD` at the place now; absent when its time zone is not known. */
  readonly today?: string
  readonly current: Current
  /** Empty when none was asked for. */
  readonly forecast: readonly ForecastDay[]
  /** Age of the oldest part in milliseconds; 0 when all of it was asked for now. */
  readonly ageMs: number
}

export interface WeatherService {
  /** @param days - 0 = no forecast, at most 5. @throws {WeatherError} */
  report(location: string, days: number, signal?: AbortSignal): Promise<Report>
}

export interface WeatherServiceOptions {
  readonly client: WeatherClient
  readonly currentTtlMs: number
  readonly forecastTtlMs: number
  readonly now: () => number
}

const Geo = z.array(
  z.object({
    name: z.string(),
    lat: z.number(),
    lon: z.number(),
    country: z.string().optional(),
    state: z.string().optional(),
  }),
)
type Found = z.infer<typeof Geo>[number]

const conditions = z.array(z.object({ description: z.string() })).min(1)
const CurrentBody = z.object({
  name: z.string(),
  sys: z.object({ country: z.string().optional() }).optional(),
  weather: conditions,
  main: z.object({ temp: z.number(), feels_like: z.number(), humidity: z.number() }),
  wind: z.object({ speed: z.number() }),
  /** As in the forecast's `city`. */
  timezone: z.number().optional(),
})
const ForecastBody = z.object({
  list: z.array(
    z.object({
      dt: z.number(),
      main: z.object({ temp_min: z.number(), temp_max: z.number() }),
      weather: conditions,
      pop: z.number().optional(),
    }),
  ),
  /** `timezone` is the place's offset from UTC in seconds. */
  city: z.object({ timezone: z.number() }),
})

/** Place names, current weather and daily forecasts; answers are kept for their TTL. */
export function createWeatherService({
  client,
  currentTtlMs,
  forecastTtlMs,
  now,
}: WeatherServiceOptions): WeatherService {
  const cache = createCache(now)

  return {
    async report(location, days, signal) {
      const deadline = client.deadline(signal)
      const place = await cache.get(`place ${location.toLowerCase()}`, forecastTtlMs, () =>
        locate(location, deadline),
      )
      const at = placeQuery(place.value, location)
      const [current, forecast] = await Promise.all([
        cache.get(`current ${JSON.stringify(at)}`, currentTtlMs, () => askCurrent(at, deadline)),
        days === 0
          ? { value: [], ageMs: 0 }
          : cache.get(`forecast ${JSON.stringify(at)}`, forecastTtlMs, () => askForecast(at, deadline)),
      ])
      const offset = current.value.utcOffsetSeconds
      return {
        place: place.value,
        // of now, not of the kept answer: midnight may lie between
        ...(offset === undefined ? {} : { today: dateAt(now() / 1000, offset) }),
        current: current.value,
        forecast: forecast.value.slice(0, days),
        ageMs: Math.max(current.ageMs, forecast.ageMs),
      }
    },
  }

  async function askCurrent(at: Readonly<Record<string, string>>, deadline: Deadline): Promise<Current> {
    const body = await client.get('weather', { ...at, units: 'metric' }, CurrentBody, deadline)
    if (!body) throw new WeatherError('unknown_place', 'the weather service knows no such place')
    return {
      place: [body.name, body.sys?.country].filter(Boolean).join(', '),
      description: body.weather[0]?.description ?? '',
      celsius: body.main.temp,
      feelsLikeCelsius: body.main.feels_like,
      humidityPercent: body.main.humidity,
      windMetresPerSecond: body.wind.speed,
      utcOffsetSeconds: body.timezone,
    }
  }

  async function askForecast(
    at: Readonly<Record<string, string>>,
    deadline: Deadline,
  ): Promise<ForecastDay[]> {
    const body = await client.get('forecast', { ...at, units: 'metric' }, ForecastBody, deadline)
    if (!body) throw new WeatherError('unknown_place', 'the weather service knows no such place')
    const days = new Map<string, typeof body.list>()
    for (const entry of body.list) {
      const date = dateAt(entry.dt, body.city.timezone)
      days.set(date, [...(days.get(date) ?? []), entry])
    }
    return [...days].map(([date, entries]) => ({
      date,
      description: mostFrequent(entries.map(({ weather }) => weather[0]?.description ?? '')),
      highCelsius: Math.max(...entries.map(({ main }) => main.temp_max)),
      lowCelsius: Math.min(...entries.map(({ main }) => main.temp_min)),
      precipitationPercent: Math.round(100 * Math.max(...entries.map(({ pop = 0 }) => pop))),
    }))
  }

  async function locate(location: string, deadline: Deadline): Promise<Place> {
    const coordinates = /^\s*(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)\s*$/.exec(location)
    if (coordinates?.[1] && coordinates[2]) return { lat: coordinates[1], lon: coordinates[2], others: [] }
    const parts = location.split(',').map((part) => part.trim())
    const [name = '', region = ''] = parts
    const asked = [parts.join(',')]
    // "Portland, OR": a two-letter part is a country first, then a US state (CA is Canada and California)
    if (parts.length === 2 && /^[a-z]{2}$/i.test(region)) asked.push(`${name},${region},US`)
    for (const q of asked) {
      const found = await client.get('geo', { q, limit: '5' }, Geo, deadline)
      if (!found) return { lat: '', lon: '', others: [] } // no geocoder at this address: the weather calls look names up themselves
      if (found.length > 0) return choose(found)
    }
    if (parts.length > 1) {
      const found = (await client.get('geo', { q: name, limit: '5' }, Geo, deadline)) ?? []
      const inRegion = found.filter((place) => parts.slice(1).every((part) => isIn(place, part)))
      if (inRegion.length > 0) return choose(inRegion)
    }
    throw new WeatherError('unknown_place', 'the weather service knows no such place')
  }
}

const dateAt = (seconds: number, utcOffsetSeconds: number) =>
  new Date((seconds + utcOffsetSeconds) * 1000).toISOString().slice(0, 10)

const placeQuery = ({ lat, lon }: Place, location: string): Record<string, string> =>
  lat === '' ? { q: location } : { lat, lon }

function choose(found: readonly Found[]): Place {
  const [first, ...rest] = found
  if (!first) throw new WeatherError('unknown_place', 'the weather service knows no such place')
  const label = labelOf(first)
  const others = [...new Set(rest.map(labelOf))].filter((other) => other !== label)
  return { lat: String(first.lat), lon: String(first.lon), label, others }
}

const labelOf = ({ name, state, country }: Found) => [name, state, country].filter(Boolean).join(', ')

function isIn({ state = '', country = '' }: Found, part: string): boolean {
  const regions = new Intl.DisplayNames('en', { type: 'region' })
  const names = [state, country, /^[A-Z]{2}$/.test(country) ? regions.of(country) : '']
  return names.some((name) => name?.toLowerCase() === part.toLowerCase())
}

function mostFrequent(values: readonly string[]): string {
  const count = (value: string) => values.filter((other) => other === value).length
  return values.reduce((best, value) => (count(value) > count(best) ? value : best), values[0] ?? '')
}

/** Keeps the newest answers; a failure is not kept. */
function createCache(now: () => number, maxEntries = 500) {
  const entries = new Map<string, { readonly value: unknown; readonly at: number }>()
  return {
    async get<T>(key: string, ttlMs: number, ask: () => Promise<T>): Promise<{ value: T; ageMs: number }> {
      const kept = entries.get(key)
      if (kept && now() - kept.at < ttlMs) return { value: kept.value as T, ageMs: now() - kept.at }
      const value = await ask()
      entries.delete(key)
      entries.set(key, { value, at: now() })
      const [oldest] = entries.keys()
      if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest)
      return { value, ageMs: 0 }
    },
  }
}
