import type { AssistantTool, Specialist, SpecialistTools } from './agents/context.ts'
import { createMemoryStore, type MemoryStore } from './db/memories.ts'
import { type Fault, type Seed, SeedError, type SeedMemory } from './eval-seed.ts'
import { brokenWeather, fixedWeather, untilAborted } from './eval-weather.ts'
import { createTools, type ToolDeps } from './tools/create-tools.ts'

/** Behind the tools of an assistant: for each user the world that a case planted, and never another's. */
export interface EvalWorlds {
  /** For {@link import('./assistant.ts').AssistantDeps}. */
  createTools(deps: ToolDeps): SpecialistTools
  /** Plants what is not in the assistant's own stores of conversations. @throws {SeedError} */
  enter(tenant: string, seed: Seed): Promise<void>
  /** Waits for calls that nobody waits for any more, so that nothing is written after it, and takes the world away. */
  leave(tenant: string): Promise<void>
}

/** Whose memories `other_memories` are. */
export const neighbourOf = (tenant: string): string => `${tenant}~other`

interface World {
  readonly tools: ReadonlyMap<string, AssistantTool>
  readonly faults: readonly PlantedFault[]
  /** Calls under way. */
  readonly calls: Set<Promise<unknown>>
}

interface PlantedFault extends Fault {
  readonly invoke: AssistantTool['invoke']
  /** Calls that still fail. */
  left: number
}

export function createEvalWorlds(): EvalWorlds {
  const worlds = new Map<string, World>()
  let made: ToolDeps | undefined

  return {
    createTools(deps) {
      made = deps
      const entries = Object.entries(createTools(unplugged(deps))).map(([specialist, tools]) => [
        specialist,
        tools.map((tool) => inWorld(tool, (userId) => worlds.get(userId))),
      ])
      return Object.fromEntries(entries) as Record<Specialist, AssistantTool[]>
    },

    async enter(tenant, seed) {
      if (!made) throw new Error('the assistant of these worlds was not made yet')
      const start = seed.now === undefined ? made.now() : Date.parse(seed.now)
      const ahead = start - made.now()
      const deps = { ...made, now: clock(made.now, ahead) }
      const own = seed.weather
        ? { ...deps, config: withKey(deps.config), fetch: fixedWeather(seed.weather, deps.now) }
        : unplugged(deps)
      const faults = (seed.fail ?? []).map((fault) => ({
        ...fault,
        invoke: brokenTool(fault, deps),
        left: fault.times ?? Number.POSITIVE_INFINITY,
      }))
      worlds.set(tenant, { tools: byName(createTools(own)), faults, calls: new Set() })
      await plant(deps, tenant, 'memories', seed.memories ?? [], start)
      await plant(deps, neighbourOf(tenant), 'other_memories', seed.other_memories ?? [], start)
    },

    async leave(tenant) {
      const world = worlds.get(tenant)
      worlds.delete(tenant)
      while (world && world.calls.size > 0) await Promise.allSettled([...world.calls])
    },
  }
}

const clock = (now: () => number, ahead: number) => () => now() + ahead

/** No case asks the network: a world without weather has no service for it. */
const unplugged = (deps: ToolDeps): ToolDeps => ({
  ...deps,
  config: { ...deps.config, OPENWEATHERMAP_API_KEY: undefined },
})
const withKey = (config: ToolDeps['config']): ToolDeps['config'] => ({
  ...config,
  OPENWEATHERMAP_API_KEY: 'planted',
})

const byName = (tools: SpecialistTools): ReadonlyMap<string, AssistantTool> =>
  new Map(Object.values(tools).flatMap((some) => some.map((tool) => [tool.name, tool])))

/** The same tool, which acts in the world of whoever it is called for. */
function inWorld(tool: AssistantTool, worldOf: (userId: string) => World | undefined): AssistantTool {
  return {
    ...tool,
    async invoke(runContext, input, details) {
      const world = worldOf(runContext.context.userId)
      if (!world) throw new Error('the case is over')
      const fault = world.faults.find(({ tool: name, left }) => name === tool.name && left > 0)
      if (fault) fault.left--
      const own = world.tools.get(tool.name) ?? tool
      const call = (fault ?? own).invoke(runContext, input, details)
      world.calls.add(call)
      const done = () => void world.calls.delete(call)
      call.then(done, done)
      return call
    },
  }
}

/** The tool over a service that is in trouble, so that its own words for that are what the model reads. */
function brokenTool({ tool: name, with: fault }: Fault, deps: ToolDeps): AssistantTool['invoke'] {
  if (name === 'get_weather')
    return toolOf({ ...deps, config: withKey(deps.config), fetch: brokenWeather(fault) }, name).invoke
  if (fault === 'garbage') return async () => '<html><body><h1>502 Bad Gateway</h1></body></html>'
  if (fault === 'slow')
    return ({ context }, _input, details) => untilAborted(details?.signal ?? context.signal)
  if (fault === 'busy') return busyMemory(deps, name)
  return toolOf({ ...deps, memories: brokenMemories() }, name).invoke
}

function toolOf(deps: ToolDeps, name: string): AssistantTool {
  const tool = byName(createTools(deps)).get(name)
  if (!tool) throw new Error(`there is no tool ${name}`)
  return tool
}

/** Every limit is reached already. */
function busyMemory(deps: ToolDeps, name: string): AssistantTool['invoke'] {
  const limit = { MEMORY_READS_PER_MINUTE: 0, MEMORY_WRITES_PER_HOUR: 0 }
  return toolOf({ ...deps, config: { ...deps.config, ...limit } }, name).invoke
}

function brokenMemories(): MemoryStore {
  const fail = async (): Promise<never> => {
    throw new Error('the database of memories is down')
  }
  return { add: fail, search: fail, noteShown: fail, remove: fail }
}

const DAY_MS = 86_400_000
const UNLIMITED = { perConversation: Number.POSITIVE_INFINITY, perHour: Number.POSITIVE_INFINITY }

/** Through the store that the assistant saves with, each at its own time. */
async function plant(
  { db, newId }: ToolDeps,
  userId: string,
  key: string,
  memories: readonly SeedMemory[],
  start: number,
): Promise<void> {
  for (const [index, { content, type, importance, confidence, days_ago }] of memories.entries()) {
    // those of one day are a moment apart, the first is the oldest
    const at = start - days_ago * DAY_MS - (memories.length - index)
    const store = createMemoryStore({ db, newId, now: () => at })
    const draft = {
      userId,
      conversationId: null,
      correlationId: 'seed',
      content,
      type,
      importance,
      confidence,
    }
    const { outcome } = await store.add(draft, UNLIMITED)
    if (outcome !== 'stored')
      throw new SeedError(
        `seed.${key}.${index}: ${outcome}: ${JSON.stringify(content)} is among them already`,
      )
  }
}
