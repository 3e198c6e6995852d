import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RunContext } from '@openai/agents'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AssistantContext } from '../agents/context.ts'
import { observeTool } from '../agents/observe-tool.ts'
import { createRunRecord, type ToolStatus } from '../agents/run-record.ts'
import { createWeatherTools } from './weather.ts'
import { createWeatherClient } from './weather-client.ts'
import { createWeatherService } from './weather-service.ts'

type Answer = (url: URL, response: ServerResponse, request: IncomingMessage) => void

const CURRENT = {
  name: 'Honolulu',
  sys: { country: 'US' },
  weather: [{ description: 'light rain' }],
  main: { temp: 24.6, feels_like: 26.2, humidity: 81 },
  wind: { speed: 5 },
}
const HONOLULU = [{ name: 'Honolulu', lat: 21.3, lon: -157.8, country: 'US', state: 'Hawaii' }]

/** Entries of three hours from midnight UTC on, seen from a place ten hours behind UTC. */
const FORECAST = {
  city: { timezone: -36_000 },
  list: Array.from({ length: 40 }, (_, i) => ({
    dt: Date.UTC(2026, 2, 2) / 1000 + i * 10_800,
    main: { temp_min: i, temp_max: i + 0.4 },
    weather: [{ description: i < 4 ? 'mist' : 'clear sky' }],
    pop: i / 40,
  })),
}

const json = (response: ServerResponse, body: unknown, status = 200, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))

/** Answers like OpenWeatherMap; `override` decides first, by returning true. */
const openWeatherMap =
  (override: (path: string, url: URL, response: ServerResponse) => boolean = () => false): Answer =>
  (url, response) => {
    if (override(url.pathname, url, response)) return
    if (url.pathname === '/geo/1.0/direct')
      json(response, /^honolulu/i.test(url.searchParams.get('q') ?? '') ? HONOLULU : [])
    else if (url.pathname === '/data/2.5/weather') json(response, CURRENT)
    else if (url.pathname === '/data/2.5/forecast') json(response, FORECAST)
    else json(response, { message: 'nothing here' }, 404)
  }

/** With the place's time zone, as the real service says it. */
const dated = (timezone: number) =>
  openWeatherMap((path, _url, response) => {
    if (path !== '/data/2.5/weather') return false
    json(response, { ...CURRENT, timezone })
    return true
  })

interface Setup {
  readonly answer?: Answer
  readonly apiKey?: string
  readonly timeoutMs?: number
  readonly now?: () => number
  readonly baseUrl?: string
}

async function setup({
  answer = openWeatherMap(),
  apiKey = 'key',
  timeoutMs = 5000,
  now = Date.now,
  baseUrl,
}: Setup = {}) {
  const requests: URL[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://local')
    requests.push(url)
    answer(url, response, request)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const client = createWeatherClient({
    baseUrl: baseUrl ?? `http://127.0.0.1:${port}/data/2.5`,
    apiKey,
    timeoutMs,
    fetch,
    now,
  })
  const [tool] = createWeatherTools(
    createWeatherService({ client, currentTtlMs: 600_000, forecastTtlMs: 1_800_000, now }),
  )
  const steps: ToolStatus[] = []
  const observed = tool && observeTool('WeatherAgent', tool)
  const record = createRunRecord((step) => steps.push(step))
  const context = new RunContext({ record } as AssistantContext)
  const ask = async (given: object) => String(await observed?.invoke(context, JSON.stringify(given)))
  return { ask, requests, steps }
}

/** What tells each failure from the others, in words: no code of ours is for a reader. */
const SAYS = {
  no_key: 'has no weather API key',
  bad_key: 'refused this assistant’s API key',
  rate_limited: 'too many requests',
  timeout: 'did not answer in time',
  unknown_place: 'knows no place of this name',
  unavailable: 'cannot be reached or is not working',
} as const

describe('get_weather', () => {
  it('tells the current weather in both systems of units', async () => {
    const { ask } = await setup()
    expect(await ask({ location: 'Honolulu' })).toBe(
      'Honolulu, Hawaii, US: 25°C (76°F), feels like 26°C (79°F), light rain, humidity 81%, wind 18 km/h (11 mph).',
    )
  })

  it('groups the days in the time zone of the place, and gives as many as were asked for', async () => {
    const { ask } = await setup()
    const lines = (await ask({ location: 'Honolulu', forecast_days: 2 })).split('\n').slice(1)
    expect(lines).toEqual([
      // midnight UTC is 14:00 of the day before: four entries (0–3) are still Sunday
      'Sunday 2026-03-01: high 3°C (38°F), low 0°C (32°F), mist, chance of precipitation up to 8%.',
      'Monday 2026-03-02: high 11°C (53°F), low 4°C (39°F), clear sky, chance of precipitation up to 28%.',
    ])
  })

  it.each([
    {
      rule: 'behind UTC, still the day before',
      at: Date.UTC(2026, 2, 2, 9),
      offset: -36_000,
      today: 'Sunday 2026-03-01',
    },
    {
      rule: 'behind UTC, after its midnight',
      at: Date.UTC(2026, 2, 2, 11),
      offset: -36_000,
      today: 'Monday 2026-03-02',
    },
    {
      rule: 'ahead of UTC, already the next day',
      at: Date.UTC(2026, 2, 1, 11),
      offset: 46_800,
      today: 'Monday 2026-03-02',
    },
  ])('begins with the date of the place: $rule', async ({ at, offset, today }) => {
    const { ask } = await setup({ now: () => at, answer: dated(offset) })
    expect((await ask({ location: 'Honolulu' })).split('\n')[0]).toBe(`Local date there: ${today}`)
  })

  it('marks today and tomorrow, by the clock and not by the kept answer', async () => {
    let time = Date.UTC(2026, 2, 2, 9, 50)
    const { ask, requests } = await setup({ now: () => time, answer: dated(-36_000) })
    const marks = async () => {
      const answer = await ask({ location: 'Honolulu', forecast_days: 3 })
      return [...answer.matchAll(/^(\w+) [\d-]+( \(\w+\))?: high/gm)].map(([, day, mark = '']) => day + mark)
    }
    expect(await marks()).toEqual(['Sunday (today)', 'Monday (tomorrow)', 'Tuesday'])
    const asked = requests.length
    time += 5 * 60_000
    await marks()
    time += 4 * 60_000 + 59_000
    expect(await marks()).toEqual(['Sunday (today)', 'Monday (tomorrow)', 'Tuesday'])
    expect(requests).toHaveLength(asked)
    time += 1000
    expect(await marks()).toEqual(['Sunday', 'Monday (today)', 'Tuesday (tomorrow)'])
  })

  it('shows a look-up that found nothing as failed, and one that did as done', async () => {
    const { ask, steps } = await setup()
    const ok = async (given: object) => {
      await ask(given)
      return steps.at(-1)?.ok
    }
    expect(await ok({ location: 'Honolulu' })).toBe(true)
    expect(await ok({ location: 'Nowhereville' })).toBe(false)
    expect(await ok({ location: ' ' })).toBe(false)
    expect(await ok({ location: 'x'.repeat(201) })).toBe(false)
    expect(await ok({ place: 'Honolulu' })).toBe(false)
  })

  it('names the argument that is wrong', async () => {
    const { ask } = await setup()
    expect(await ask({ location: 'Honolulu', forecast_days: 'two' })).toMatch(
      /^Nothing was looked up\. .*forecast_days: .*number/,
    )
    expect(await ask({})).toMatch(/location: .*string/)
  })

  it('gives three days unless told, at most five, and says where it ends', async () => {
    const { ask } = await setup()
    expect((await ask({ location: 'Honolulu', include_forecast: true })).split('\n')).toHaveLength(4)
    const week = await ask({ location: 'Honolulu', forecast_days: 7 })
    expect(week.split('\n')).toHaveLength(7)
    expect(week).toContain('Asked for 7 days: the forecast covers 5, no further.')
  })

  const broken =
    (status: number): Answer =>
    (_url, response) =>
      json(response, { message: 'no' }, status)

  it('answers no key, bad key, too many requests, time-out, unknown place and outage each in its own way', async () => {
    const answers = [
      ['no_key', await (await setup({ apiKey: '' })).ask({ location: 'Honolulu' })],
      ['bad_key', await (await setup({ answer: broken(401) })).ask({ location: 'Honolulu' })],
      ['rate_limited', await (await setup({ answer: broken(429) })).ask({ location: 'Honolulu' })],
      ['timeout', await (await setup({ answer: () => {}, timeoutMs: 150 })).ask({ location: 'Honolulu' })],
      ['unknown_place', await (await setup()).ask({ location: 'Nowhereville' })],
      ['unavailable', await (await setup({ answer: broken(503) })).ask({ location: 'Honolulu' })],
    ] as const
    for (const [problem, answer] of answers) {
      expect(answer).toContain(SAYS[problem])
      expect(answer).not.toMatch(/[a-z]_[a-z]/)
    }
    expect(new Set(answers.map(([, answer]) => answer)).size).toBe(answers.length)
  })

  it.each([
    { what: 'refused connections', baseUrl: 'http://127.0.0.1:9/data/2.5' },
    { what: 'a body that is no JSON', answer: ((_url, response) => response.end('<html>')) as Answer },
    { what: 'a body of another shape', answer: ((_url, response) => json(response, { cod: 200 })) as Answer },
  ])('reads $what as an outage', async ({ what: _, ...given }) => {
    const { ask } = await setup(given)
    expect(await ask({ location: 'Honolulu' })).toContain(SAYS.unavailable)
  })

  it('asks nobody without a key, and once with a refused one', async () => {
    const keyless = await setup({ apiKey: '' })
    await keyless.ask({ location: 'Honolulu' })
    expect(keyless.requests).toHaveLength(0)
    const refused = await setup({ answer: broken(401) })
    await refused.ask({ location: 'Honolulu' })
    expect(refused.requests).toHaveLength(1)
  })

  it('tries again after a failure that passes', async () => {
    let failures = 2
    const { ask } = await setup({
      answer: openWeatherMap((path, _url, response) => {
        if (path !== '/data/2.5/weather' || failures-- <= 0) return false
        json(response, {}, 503)
        return true
      }),
    })
    expect(await ask({ location: 'Honolulu' })).toContain('light rain')
  })

  it('does not wait for a Retry-After that lies beyond its time', async () => {
    const { ask, requests } = await setup({
      answer: (_url, response) => json(response, {}, 429, { 'retry-after': '3600' }),
    })
    expect(await ask({ location: 'Honolulu' })).toContain(SAYS.rate_limited)
    expect(requests).toHaveLength(1)
  })

  it('keeps an answer for its time, tells its age, and keeps no failure', async () => {
    let time = 1_000_000
    let isDown = true
    const { ask, requests } = await setup({
      now: () => time,
      answer: openWeatherMap((_path, _url, response) => {
        if (isDown) json(response, {}, 401)
        return isDown
      }),
    })
    expect(await ask({ location: 'Honolulu' })).toContain(SAYS.bad_key)
    isDown = false
    await ask({ location: 'Honolulu' })
    const asked = requests.length
    time += 120_000
    expect(await ask({ location: 'honolulu' })).toContain('As of 2 minutes ago.')
    expect(requests).toHaveLength(asked)
    time += 600_000
    expect(await ask({ location: 'Honolulu' })).not.toContain('As of')
    expect(requests.length).toBeGreaterThan(asked)
  })

  it('names the other places of an ambiguous name', async () => {
    const { ask } = await setup({
      answer: openWeatherMap((path, _url, response) => {
        if (path !== '/geo/1.0/direct') return false
        const springfield = (state: string) => ({ name: 'Springfield', state, country: 'US', lat: 1, lon: 2 })
        json(response, [springfield('Illinois'), springfield('Missouri')])
        return true
      }),
    })
    const answer = await ask({ location: 'Springfield' })
    expect(answer).toContain('Springfield, Illinois, US:')
    expect(answer).toContain('Other places of this name: Springfield, Missouri, US.')
  })

  const geocoder = (table: Record<string, object[]>) =>
    openWeatherMap((path, url, response) => {
      if (path !== '/geo/1.0/direct') return false
      json(response, table[url.searchParams.get('q') ?? ''] ?? [])
      return true
    })
  const paris = { name: 'Paris', country: 'FR', state: 'Ile-de-France', lat: 1, lon: 2 }
  const texas = { name: 'Paris', country: 'US', state: 'Texas', lat: 3, lon: 4 }

  it.each([
    {
      rule: 'a country code',
      location: 'Paris, FR',
      table: { 'Paris,FR': [paris] },
      want: 'Paris, Ile-de-France, FR',
    },
    {
      rule: 'a US state code',
      location: 'Paris, TX',
      table: { 'Paris,TX,US': [texas] },
      want: 'Paris, Texas, US',
    },
    {
      rule: 'a country by name',
      location: 'Paris, France',
      table: { Paris: [texas, paris] },
      want: 'Paris, Ile-de-France, FR',
    },
    {
      rule: 'a state by name',
      location: 'Paris, Texas',
      table: { Paris: [paris, texas] },
      want: 'Paris, Texas, US',
    },
  ])('understands $rule after the comma', async ({ location, table, want }) => {
    const { ask } = await setup({ answer: geocoder(table) })
    expect(await ask({ location })).toContain(`${want}: `)
  })

  it('takes coordinates as they are, and a server without a geocoder by name', async () => {
    const { ask, requests } = await setup({
      answer: openWeatherMap((path, _url, response) => {
        if (path === '/geo/1.0/direct') json(response, {}, 404)
        return path === '/geo/1.0/direct'
      }),
    })
    await ask({ location: '21.3, -157.8' })
    expect(requests.at(-1)?.search).toContain('lat=21.3&lon=-157.8')
    expect(await ask({ location: 'Honolulu' })).toContain('Honolulu, US: ')
    expect(requests.at(-1)?.searchParams.get('q')).toBe('Honolulu')
  })

  it('asks for a place when there is none', async () => {
    const { ask } = await setup()
    expect(await ask({ location: '  ' })).toContain('Ask which place')
    expect(await ask({ location: 'x'.repeat(201) })).toContain('too long')
  })
})
