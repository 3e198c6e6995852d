import { isOutage, type Registry } from '@promptkeep/client'
import { EvalFailure, messageOf } from './errors.ts'

/** What an eval asks a registry, beside what its target loads. */
export type EvalRegistry = Pick<Registry, 'list' | 'load' | 'find'>

/** `experiment` is short for the chain experiment → production; anything else is a chain as it is written. */
export function parseAliasChain(text: string): string[] {
  const chain = text.split(',').map((alias) => alias.trim())
  const wrong = chain.find((alias) => !/^[\w-]{1,255}$/.test(alias))
  if (wrong !== undefined) {
    const rule = 'an alias has letters, digits, _ and -; several are separated by commas'
    throw new EvalFailure('CONFIGURATION', `no alias can be named ${JSON.stringify(wrong)}: ${rule}`)
  }
  return text === 'experiment' ? ['experiment', 'production'] : chain
}

/**
 * The prompts that have the first alias of a chain now, with the version it points at: in a chain, the candidates.
 * @throws {EvalFailure} `CONFIGURATION`: none has it, so a run would judge something else than was asked for.
 *   `INFRASTRUCTURE`: the registry did not answer.
 */
export async function findHolders(
  registry: EvalRegistry,
  chain: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const [alias = ''] = chain
  const holders = new Map<string, number>()
  let prompts = 0
  for await (const { name, aliases, latestVersion } of eachPrompt(registry)) {
    const version = alias === 'latest' ? latestVersion : aliases[alias]
    if (version !== undefined) holders.set(name, version)
    prompts++
  }
  if (holders.size > 0) return holders
  const where =
    prompts === 0 ? 'the registry holds no prompts' : `none of the registry's ${prompts} prompts has it`
  throw new EvalFailure('CONFIGURATION', `there is nothing to judge under alias ${alias}: ${where}`)
}

type Listed = Awaited<ReturnType<EvalRegistry['list']>>['items'][number]

/**
 * Every prompt of a registry, page by page.
 * @throws {EvalFailure} `INFRASTRUCTURE`: the registry did not answer.
 */
export async function* eachPrompt(registry: Pick<EvalRegistry, 'list'>): AsyncGenerator<Listed> {
  let pageToken: string | undefined
  do {
    const page = await answered(registry.list({ limit: 1000, pageToken }))
    yield* page.items
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
}

/** Waits for a registry's answer; an outage or a refusal has no verdict. */
export async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const code = isOutage(error) ? 'INFRASTRUCTURE' : 'CONFIGURATION'
    throw new EvalFailure(code, `the registry cannot be asked: ${messageOf(error)}`, { cause: error })
  }
}
