import type { Logger } from '@promptkeep/client'
import type { Kysely } from 'kysely'
import type { SpecialistTools } from '../agents/context.ts'
import type { Config } from '../config.ts'
import { createMemoryStore, type MemoryStore } from '../db/memories.ts'
import type { Tables } from '../db/schema.ts'
import { createMemoryTools } from './memory.ts'
import { createRateLimit } from './rate-limit.ts'
import { createWeatherTools } from './weather.ts'
import { createWeatherClient } from './weather-client.ts'
import { createWeatherService } from './weather-service.ts'

/** What the specialists' tools are made of. */
export interface ToolDeps {
  readonly config: Config
  readonly db: Kysely<Tables>
  readonly log: Logger
  readonly fetch: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly newId: () => string
  /** Default: the one in `db`. */
  readonly memories?: MemoryStore
}

/** Every specialist's tools, each over its real service. */
export function createTools({ config, db, log, now, newId, fetch, memories }: ToolDeps): SpecialistTools {
  const weather = createWeatherService({
    client: createWeatherClient({
      baseUrl: config.WEATHER_API_BASE_URL,
      apiKey: config.OPENWEATHERMAP_API_KEY,
      timeoutMs: config.WEATHER_API_TIMEOUT_SECONDS * 1000,
      ...{ fetch, now },
    }),
    currentTtlMs: config.WEATHER_CACHE_CURRENT_SECONDS * 1000,
    forecastTtlMs: config.WEATHER_CACHE_FORECAST_SECONDS * 1000,
    now,
  })
  const memory = createMemoryTools({
    memories: memories ?? createMemoryStore({ db, now, newId }),
    limits: {
      perConversation: config.MEMORY_WRITES_PER_CONVERSATION,
      perHour: config.MEMORY_WRITES_PER_HOUR,
    },
    reads: createRateLimit({ perWindow: config.MEMORY_READS_PER_MINUTE, windowMs: 60_000, now }),
    log,
  })
  return { memory, weather: createWeatherTools(weather) }
}
