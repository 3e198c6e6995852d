import { createRegistry } from '@promptkeep/client'
import { fingerprintOf } from '@promptkeep/client/protocol'
import type { Target, TargetSetup } from '@promptkeep/evals'

/**
 * A support bot on a scripted model: it says what its prompt tells it to say about a topic, and nothing of what the prompt
 * does not tell. So an edit of the prompt has an effect, and no key is needed.
 */
export function support({ trackingUri, env }: TargetSetup): Target {
  const registry = createRegistry({ trackingUri, env, strict: true, cacheTtlSeconds: 0, timeoutMs: 10_000 })
  return {
    async run({ input = '', context = {} }, { promptAlias, model = 'scripted-1' }) {
      const names = Array.isArray(context.prompts)
        ? context.prompts.map(String)
        : [env.DEMO_PROMPT ?? 'support']
      const set = await registry.loadSet(names, { alias: promptAlias, maxAgeMs: 0 })
      const rules = names.map((name) => String(set.get(name).template)).join('\n')
      const output = answer(rules, input)
      const versions = Object.entries(set.versions)
      return {
        output,
        messages: [
          { role: 'system', content: rules },
          { role: 'user', content: input },
          { role: 'assistant', content: output },
        ],
        toolCalls: [],
        prompts: set.versions,
        fingerprint: await fingerprintOf(
          versions.map(([name, { version, digest }]) => ({ name, version, digest })),
        ),
        model,
        usage: { inputTokens: rules.length, outputTokens: output.length, requests: 1 },
      }
    },
    close: () => registry.close(),
  }
}

/** Each line `About <topic>: <what to say>` of the prompt whose topic the question names. */
function answer(rules: string, question: string): string {
  const said = [...rules.matchAll(/^About (\w+): (.+)$/gm)].flatMap(([, topic = '', text = '']) =>
    question.toLowerCase().includes(topic.toLowerCase()) ? [text] : [],
  )
  return said.join(' ') || 'I do not know.'
}
