import { z } from 'zod'
import { MEMORY_TYPES } from './db/memories.ts'

/** An object whose unknown keys are refused together with those that it may have. */
const exactly = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown key ${(issue as { keys?: string[] }).keys?.join(', ')}; there are ${Object.keys(shape).join(', ')}`
        : undefined,
  })

const text = z.string().min(1)
const share = z.number().min(0).max(1)

const SeedMemory = exactly({
  content: text,
  type: z.enum(MEMORY_TYPES).default('fact'),
  importance: share.default(0.5),
  confidence: share.default(0.9),
  days_ago: z.number().min(0).max(36_500).default(30),
})
const Memories = z
  .array(z.preprocess((given) => (typeof given === 'string' ? { content: given } : given), SeedMemory))
  .min(1)

const Day = exactly({
  sky: text,
  high: z.number(),
  low: z.number(),
  rain_percent: z.number().min(0).max(100).default(0),
})
const Place = exactly({
  name: text,
  /** Other names that people write, such as those of other languages. */
  also: z.array(text).default([]),
  state: text.optional(),
  /** As people abbreviate it: `OR`. */
  state_code: text.optional(),
  country: z.string().regex(/^[A-Z]{2}$/, 'must be two capital letters, as ISO 3166 has them'),
  utc_offset_hours: z.number().min(-12).max(14).default(0),
  now: exactly({
    sky: text,
    celsius: z.number(),
    feels_like: z.number().optional(),
    humidity: z.number().min(0).max(100).default(60),
    wind_metres_per_second: z.number().min(0).default(3),
  }),
  /** From today on. */
  days: z.array(Day).max(5).default([]),
})

/** What each tool can suffer; as its service does. */
export const FAULTS = {
  get_weather: ['down', 'slow', 'garbage', 'busy', 'refused'],
  query_memory_tool: ['down', 'slow', 'garbage', 'busy'],
  save_memory_tool: ['down', 'slow', 'garbage', 'busy'],
  delete_memory_tool: ['down', 'slow', 'garbage'],
} as const satisfies Readonly<Record<string, readonly string[]>>
type FaultyTool = keyof typeof FAULTS

const tools = Object.keys(FAULTS) as FaultyTool[]
const Fault = exactly({
  tool: z.enum(tools),
  with: z.enum(['down', 'slow', 'garbage', 'busy', 'refused']),
  /** Only the first so many calls; all when absent. */
  times: z.int().min(1).optional(),
}).superRefine((fault, context) => {
  const possible: readonly string[] = FAULTS[fault.tool]
  if (possible.includes(fault.with)) return
  const message = `${fault.tool} can be ${possible.join(', ')}`
  context.addIssue({ code: 'custom', path: ['with'], message })
})

const SeedOfCase = exactly({
  /** What the tools' clock says when the case begins. */
  now: z.iso.datetime({ offset: true }).optional(),
  memories: Memories.optional(),
  /** Of somebody else, who must stay out of it. */
  other_memories: Memories.optional(),
  /** The beginning of the conversation that the case goes on with. */
  conversation: z
    .array(exactly({ user: text, assistant: text }))
    .min(1)
    .optional(),
  /** The places that the weather service knows; without them it is not set up. */
  weather: z.array(Place).min(1).optional(),
  fail: z.preprocess(
    (given) => (given === undefined || Array.isArray(given) ? given : [given]),
    z.array(Fault).min(1).optional(),
  ),
})

/** What a case plants for its user, as it was read: defaults filled in. */
export type Seed = z.output<typeof SeedOfCase>
export type SeedMemory = z.output<typeof SeedMemory>
export type WeatherPlace = z.output<typeof Place>
export type Fault = z.output<typeof Fault>

const Context = exactly({ onboarded: z.boolean().optional() })

/** @throws {SeedError} Everything that is wrong, and what is allowed. */
export const readSeed = (given: Readonly<Record<string, unknown>>): Seed => read('seed', SeedOfCase, given)

/** What a case says of its user: `onboarded` when they are known already. @throws {SeedError} */
export const readContext = (given: Readonly<Record<string, unknown>>): z.output<typeof Context> =>
  read('context', Context, given)

function read<Shape extends z.ZodType>(what: string, shape: Shape, given: unknown): z.output<Shape> {
  const parsed = shape.safeParse(given)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${[what, ...path].join('.')}: ${message}`)
  throw new SeedError(problems.join('; '))
}

/** What a case wants planted cannot be. */
export class SeedError extends Error {
  constructor(message: string) {
    super(message)
    this.name = new.target.name
  }
}
