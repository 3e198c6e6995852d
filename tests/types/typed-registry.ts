/**
 * What the types of a registry allow and refuse. Compiled, never run: tests/typed.test.ts takes the lines that expect an
 * error away, and asks for one error in the place of each.
 */
import {
  type ChatMessage,
  createRegistry,
  type NoVariables,
  type Prompt,
  type PromptOf,
  type PromptSet,
  type Registry,
  type RegistryOptions,
  type Run,
  type TextValue,
} from '@promptkeep/client'
import { createTestRegistry } from '@promptkeep/client/testing'
import { parseResponse, toResponseFormat } from '@promptkeep/client/zod'
import { z } from 'zod'

type Prompts = {
  memory: {
    kind: 'text'
    aliases: 'production' | 'candidate'
    variables: { readonly question: TextValue; readonly tone?: TextValue | undefined }
    response: { readonly facts: readonly string[] }
  }
  'chat.reply': {
    kind: 'chat'
    aliases: 'production' | 'staging'
    variables: { readonly history: readonly ChatMessage[]; readonly user: { readonly name: TextValue } }
    response: unknown
  }
  plain: { kind: 'text'; aliases: 'production'; variables: NoVariables; response: unknown }
}

const registry = createRegistry<Prompts>()

/** Compiles only when both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <_ extends true>() => undefined

export async function names() {
  await registry.load('memory')
  await registry.load('memory@candidate')
  await registry.load('prompts:/chat.reply@staging')
  await registry.load('prompts:/memory/3')
  await registry.load('plain@latest')
  // @ts-expect-error no such prompt
  await registry.load('memroy')
  // @ts-expect-error no such alias
  await registry.load('memory@prodcution')
  // @ts-expect-error an alias of another prompt
  await registry.load('memory@staging')
  // @ts-expect-error no version
  await registry.load('memory/three')
  // @ts-expect-error not MLflow's prefix
  await registry.load('prompt:/memory')
  // @ts-expect-error any text
  await registry.load(String(1))
}

export async function opening() {
  createRegistry<Prompts>({ defaults: { memory: 'Hi', plain: { template: 'x' } }, alias: 'candidate' })
  createRegistry<Prompts>({ alias: ['staging', 'latest', 'production'], defaults: {} })
  createRegistry<Prompts>({ defaults: Object.fromEntries([['memory', 'Hi']]) })
  // @ts-expect-error no such prompt
  createRegistry<Prompts>({ defaults: { memroy: 'Hi' } })
  // @ts-expect-error of no prompt
  createRegistry<Prompts>({ alias: 'prodcution' })
  // @ts-expect-error of no prompt
  createRegistry<Prompts>({ alias: ['candidate', 'prodcution'] })
  // @ts-expect-error any text
  createRegistry<Prompts>({ alias: String(1) })
  // @ts-expect-error neither a text nor messages
  createRegistry<Prompts>({ defaults: { memory: 1 } })
  await registry.seed()
  await registry.seed({ memory: 'Hi', 'chat.reply': [{ role: 'user', content: 'Hi' }] })
  // @ts-expect-error no such prompt
  await registry.seed({ memroy: 'Hi' })
  createTestRegistry<Prompts>({ prompts: { memory: 'Hi' }, defaults: { plain: 'x' }, alias: 'staging' })
  // @ts-expect-error no such prompt
  createTestRegistry<Prompts>({ prompts: { memroy: 'Hi' } })
  // @ts-expect-error no such prompt
  createTestRegistry<Prompts>({ defaults: { memroy: 'Hi' } })
  // @ts-expect-error of no prompt
  createTestRegistry<Prompts>({ alias: 'prodcution' })
}

export async function options() {
  await registry.load('memory', { alias: 'candidate', timeoutMs: 100, key: 'user' })
  await registry.load('memory', { alias: ['staging', 'production'] })
  await registry.load('prompts:/memory', { alias: 'production' })
  // @ts-expect-error no such alias
  await registry.load('memory', { alias: 'prodcution' })
  // @ts-expect-error of no prompt
  await registry.load('memory', { alias: ['candidate', 'prodcution'] })
  // @ts-expect-error the reference says it
  await registry.load('memory@candidate', { alias: 'production' })
  // @ts-expect-error no such option
  await registry.load('memory', { timeoutMs: 100, alais: 'production' })
}

export async function values() {
  const memory = await registry.load('memory')
  same<Same<string, ReturnType<typeof memory.format>>>()
  same<Same<string, typeof memory.template>>()
  memory.format({ question: 'why?' })
  memory.format({ question: 1n, tone: undefined })
  // @ts-expect-error none
  memory.format()
  // @ts-expect-error it misses one
  memory.format({})
  // @ts-expect-error one too many
  memory.format({ question: '', wath: '' })
  // @ts-expect-error no text
  memory.format({ question: ['a'] })

  const chat = await registry.load('chat.reply@production')
  same<Same<ChatMessage[], ReturnType<typeof chat.format>>>()
  same<Same<readonly ChatMessage[], typeof chat.template>>()
  chat.format({ history: [{ role: 'user', content: 'hi' }], user: { name: 'Ada' } })
  // @ts-expect-error a text for messages
  chat.format({ history: 'hi', user: { name: 'Ada' } })
  // @ts-expect-error it misses a field
  chat.format({ history: [], user: {} })

  const plain = await registry.load('plain')
  plain.format()
  plain.format({})
  // @ts-expect-error it has none
  plain.format({ wath: '' })
}

export async function versions(number: number) {
  const byReference = await registry.load('memory/3')
  same<Same<Prompt, typeof byReference>>()
  const byOption = await registry.load('memory', { version: 3 })
  same<Same<Prompt, typeof byOption>>()
  const byNumber = await registry.load(`memory/${number}`)
  byNumber.format({ anything: 1 })
  // @ts-expect-error no such prompt
  await registry.load('memroy', { version: 3 })
}

export async function missing() {
  const maybe = await registry.load('memory', { allowMissing: true })
  same<Same<PromptOf<Prompts, 'memory'> | undefined, typeof maybe>>()
  // @ts-expect-error it may be missing
  maybe.format({ question: '' })
  const always = await registry.load('memory', { allowMissing: false })
  always.format({ question: '' })
}

export async function either(name: 'memory' | 'plain') {
  const prompt = await registry.load(name)
  // @ts-expect-error it may be the one that needs a question
  prompt.format({})
  same<Same<string, ReturnType<typeof prompt.format>>>()
}

export async function sets() {
  const set = await registry.loadSet(['memory', 'chat.reply@production'], { alias: 'candidate' })
  set.get('memory').format({ question: '' })
  set.get('chat.reply').format({ history: [], user: { name: '' } })
  for (const name of set.names) set.versions[name].version.toFixed()
  // @ts-expect-error not in the set
  set.get('plain')
  // @ts-expect-error by its name
  set.get('chat.reply@production')
  // @ts-expect-error it misses one
  set.get('memory').format({})
  // @ts-expect-error no such prompt
  await registry.loadSet(['memory', 'chat.reply2'])
  // @ts-expect-error no alias of these
  await registry.loadSet(['memory'], { alias: 'staging' })
  const mixed = await registry.loadSet(['memory/3', 'plain'])
  mixed.get('memory').format({ anything: 1 })
}

export async function runs() {
  const text = await registry.run(
    async (run) => {
      const memory = await run.load('memory')
      // @ts-expect-error no such prompt
      await run.load('memroy')
      // @ts-expect-error no such alias
      await run.load('memory', { alias: 'prodcution' })
      return memory.format({ question: '' })
    },
    { prompts: ['memory', 'plain@latest'], alias: 'candidate' },
  )
  same<Same<string, typeof text>>()
  // @ts-expect-error no such prompt
  await registry.run(() => 1, { prompts: ['memroy'] })
  // @ts-expect-error no such alias
  await registry.run(() => 1, { alias: 'prodcution' })
}

export async function responses(answer: string) {
  const value = parseResponse(await registry.load('memory'), answer)
  same<Same<{ readonly facts: readonly string[] }, typeof value>>()
  // @ts-expect-error not in the response
  value.moods
  const any = parseResponse(await registry.load('plain'), answer)
  same<Same<unknown, typeof any>>()
  const format = toResponseFormat(z.object({ day: z.string() }))
  const made = parseResponse({ name: 'made', version: 1, responseFormat: format }, answer)
  same<Same<{ day: string }, typeof made>>()
}

/** Code that loads any prompt can be given what knows some. */
export async function given() {
  const prompts: Registry = registry
  const prompt: Prompt = await registry.load('memory')
  const chat: Prompt = await registry.load('chat.reply')
  const set: PromptSet = await registry.loadSet(['memory', 'plain'])
  await registry.run((run: Run) => run.lineage())
  const fewer: Registry<Pick<Prompts, 'memory'>> = registry
  // @ts-expect-error it does not know the others
  const more: Registry<Prompts> = createRegistry<Pick<Prompts, 'memory'>>()
  return [prompts, prompt, chat, set, fewer, more]
}

/** Without a type parameter: any name, any alias, any values. */
export async function loose(name: string, alias: string | readonly string[] | undefined) {
  const options: RegistryOptions = { alias: alias ?? 'production', defaults: { [name]: 'Hi' } }
  same<Same<Registry, ReturnType<typeof open>>>()
  const open = () => createRegistry({ ...options, defaults: { memory: 'Hi' }, alias: 'production' })
  same<Same<Registry, ReturnType<typeof test>>>()
  const test = () => createRegistry({ defaults: { memory: 'Hi' } })
  const any = createRegistry(options)
  await any.seed({ [name]: 'Hi', other: 'Hi' })
  const prompt = await any.load(name, { alias })
  same<Same<Prompt, typeof prompt>>()
  const text = prompt.format({ anything: 1 })
  same<Same<string | ChatMessage[], typeof text>>()
  prompt.format()
  const set = await any.loadSet([name, 'b@c', 'd/3'], { alias })
  same<Same<PromptSet, typeof set>>()
  same<Same<Prompt, ReturnType<typeof set.get<'e'>>>>()
  const maybe = await any.load(name, { allowMissing: true })
  same<Same<Prompt | undefined, typeof maybe>>()
  await any.run((run) => run.load(name, { version: 3 }), { prompts: [name], alias })
  // @ts-expect-error no such option
  await any.load(name, { alais: 'production', timeoutMs: 1 })
}

/** What stands in for a registry in an app's own tests, and what wraps one, need no type parameters. */
export const double: Pick<Registry, 'load'> = { load: async () => ({}) as Prompt }
export const wrapped = (inner: Registry) => (name: string) => inner.load(name, { key: 'user' })
