import { tool } from '@openai/agents'
import { z } from 'zod'
import type { AssistantContext, AssistantTool } from '../agents/context.ts'
import { type FailedResult, failed } from '../agents/observe-tool.ts'
import { checkArguments } from './check-arguments.ts'
import { WeatherError, type WeatherProblem } from './weather-client.ts'
import type { Report, WeatherService } from './weather-service.ts'

/** What the provider's forecast covers. Promising more would be made up. */
const MAX_DAYS = 5
const DEFAULT_DAYS = 3
const MAX_LOCATION = 200

const ANSWERS: Readonly<Record<WeatherProblem, string>> = {
  no_key: 'Weather is not set up: this assistant has no weather API key. Trying again will not help.',
  bad_key: 'The weather service refused this assistant’s API key. Whoever runs it has to check the key.',
  rate_limited:
    'The weather service has had too many requests from this assistant. Try again in a few minutes.',
  timeout: 'The weather service did not answer in time. Try again in a moment.',
  unknown_place: 'The weather service knows no place of this name. Check the spelling, or add a country.',
  unavailable: 'The weather service cannot be reached or is not working. Try again later.',
}

/** The weather specialist's one tool: plain text, also when there is no weather to tell. */
export function createWeatherTools(weather: WeatherService): readonly AssistantTool[] {
  const getWeather = tool<typeof Parameters, AssistantContext, string | FailedResult>({
    name: 'get_weather',
    description:
      'Current weather of a place and, when asked for, its forecast by day (at most 5 days, today included).',
    parameters: Parameters,
    async execute({ location, include_forecast, forecast_days }, context) {
      const place = location.trim()
      if (place === '') return failed('No place was given. Ask which place is meant.')
      if (place.length > MAX_LOCATION)
        return failed(`The place is too long: ${place.length} characters, at most ${MAX_LOCATION}.`)
      const asked = Math.max(0, Math.floor(forecast_days ?? 0)) || (include_forecast ? DEFAULT_DAYS : 0)
      try {
        const report = await weather.report(place, Math.min(asked, MAX_DAYS), context?.context.signal)
        return describe(report, asked)
      } catch (error) {
        if (!(error instanceof WeatherError)) throw error
        return failed(`No weather for "${place}". ${ANSWERS[error.problem]}`)
      }
    },
  })
  return [
    checkArguments(getWeather, Parameters, (problems) =>
      failed(`Nothing was looked up. Correct these arguments and call again: ${problems}`),
    ),
  ]
}

const Parameters = z.object({
  location: z.string().describe('A place, best with its country: "Paris, FR"; or "latitude, longitude"'),
  include_forecast: z
    .boolean()
    .nullish()
    .describe('Also the days ahead; 3 unless forecast_days says otherwise'),
  forecast_days: z.number().nullish().describe('Number of days of forecast, 0 to 5'),
})

function describe({ place, today, current, forecast, ageMs }: Report, askedDays: number): string {
  const lines = [
    ...(today ? [`Local date there: ${weekday(today)} ${today}`] : []),
    `${place.label ?? current.place}: ${both(current.celsius)}, feels like ${both(current.feelsLikeCelsius)}, ` +
      `${current.description}, humidity ${Math.round(current.humidityPercent)}%, wind ${wind(current.windMetresPerSecond)}.`,
    ...forecast.map(
      (day) =>
        `${weekday(day.date)} ${day.date}${relative(day.date, today)}: high ${both(day.highCelsius)}, low ${both(day.lowCelsius)}, ` +
        `${day.description}, chance of precipitation up to ${day.precipitationPercent}%.`,
    ),
  ]
  if (forecast.length < askedDays) {
    lines.push(`Asked for ${askedDays} days: the forecast covers ${forecast.length}, no further.`)
  }
  if (place.others.length > 0) {
    lines.push(`Other places of this name: ${place.others.join('; ')}. Say which one was used, or ask.`)
  }
  if (ageMs >= 60_000) lines.push(`As of ${Math.round(ageMs / 60_000)} minutes ago.`)
  return lines.join('\n')
}

const both = (celsius: number) => `${Math.round(celsius)}°C (${Math.round(celsius * 1.8 + 32)}°F)`
const wind = (metresPerSecond: number) =>
  `${Math.round(metresPerSecond * 3.6)} km/h (${Math.round(metresPerSecond * 2.236_936)} mph)`
/** A model that has no calendar calls the wrong day tomorrow. */
function relative(date: string, today: string | undefined): string {
  if (today === undefined) return ''
  const days = (Date.parse(date) - Date.parse(today)) / 86_400_000
  return days === 0 ? ' (today)' : days === 1 ? ' (tomorrow)' : ''
}
const weekday = (date: string) =>
  new Intl.DateTimeFormat('en', { weekday: 'long', timeZone: 'UTC' }).format(new Date(`${date}T00:00:00Z`))
