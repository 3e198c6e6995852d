import type { Fault, WeatherPlace } from './eval-seed.ts'

/**
 * A weather service without a network: what OpenWeatherMap would answer of these places, and of no others. The assistant's own
 * client speaks to it.
 * @param now - Milliseconds since the epoch: the forecast begins with the day that it is at the place.
 */
export function fixedWeather(places: readonly WeatherPlace[], now: () => number): typeof fetch {
  return async (input) => {
    const { pathname, searchParams } = new URL(input instanceof Request ? input.url : input)
    if (pathname.endsWith('/geo/1.0/direct')) {
      const found = places.flatMap((place, index) =>
        isCalled(place, searchParams.get('q') ?? '') ? [geoOf(place, index)] : [],
      )
      return Response.json(found)
    }
    const place = places[Number(searchParams.get('lat')) - 1]
    if (!place) return Response.json({ message: 'no such place' }, { status: 404 })
    return Response.json(pathname.endsWith('/forecast') ? forecastOf(place, now()) : currentOf(place))
  }
}

/** The same service in trouble. Its client sees what it would see of the real one. */
export function brokenWeather(fault: Fault['with']): typeof fetch {
  return async (_input, init) => {
    switch (fault) {
      case 'down':
        return Response.json({ message: 'internal error' }, { status: 503 })
      case 'busy':
        return Response.json({ message: 'too many requests' }, { status: 429 })
      case 'refused':
        return Response.json({ message: 'invalid API key' }, { status: 401 })
      case 'garbage':
        return new Response('<html><body>It works!</body></html>', {
          headers: { 'content-type': 'text/html' },
        })
      case 'slow':
        return untilAborted(init?.signal ?? undefined)
    }
  }
}

/** Never answers; rejects when the signal ends. */
export function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const give = () => reject(signal?.reason ?? new Error('given up'))
    if (signal?.aborted) give()
    else signal?.addEventListener('abort', give, { once: true })
  })
}

/** "Köln", "koln, DE", "Springfield, Illinois, US", "Springfield, IL": a name, then parts that must all fit. */
function isCalled(place: WeatherPlace, query: string): boolean {
  const { name, also, state = '', state_code = '', country } = place
  const [asked = '', ...region] = query.split(',').map(plain)
  return (
    [name, ...also].some((known) => plain(known) === asked) &&
    region.every((part) => [state, state_code, country].map(plain).includes(part))
  )
}

/** Letters that are no letter and a mark, and that people write without it. */
const STROKES: Readonly<Record<string, string>> = { ø: 'o', ł: 'l', đ: 'd', ß: 'ss', æ: 'ae' }
const plain = (text: string) =>
  text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .trim()
    .toLowerCase()
    .replace(/[øłđßæ]/g, (letter) => STROKES[letter] ?? letter)

/** The latitude is the place's number: all that its next requests are told. */
const geoOf = ({ name, state, country }: WeatherPlace, index: number) => ({
  ...{ name, lat: index + 1, lon: index + 1, country },
  ...(state === undefined ? {} : { state }),
})

const currentOf = ({ name, country, utc_offset_hours, now }: WeatherPlace) => ({
  name,
  sys: { country },
  weather: [{ description: now.sky }],
  main: { temp: now.celsius, feels_like: now.feels_like ?? now.celsius, humidity: now.humidity },
  wind: { speed: now.wind_metres_per_second },
  timezone: utc_offset_hours * 3600,
})

const DAY_SECONDS = 86_400

function forecastOf({ utc_offset_hours, days }: WeatherPlace, nowMs: number) {
  const offset = utc_offset_hours * 3600
  const midnight = Math.floor((nowMs / 1000 + offset) / DAY_SECONDS) * DAY_SECONDS - offset
  return {
    list: days.map(({ sky, high, low, rain_percent }, index) => ({
      dt: midnight + index * DAY_SECONDS + DAY_SECONDS / 2,
      main: { temp_min: low, temp_max: high },
      weather: [{ description: sky }],
      pop: rain_percent / 100,
    })),
    city: { timezone: offset },
  }
}
