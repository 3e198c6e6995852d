import { createRegistry, type Registry } from '@promptkeep/client'
import { digestOf } from '@promptkeep/client/protocol'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Mlflow, mlflowSkip, startMlflow } from './support/mlflow.ts'
import { PYTHON_MS, python, type Told } from './support/python-client.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

describe.skipIf(mlflowSkip).each<[string, () => Promise<TestRegistry | Mlflow>]>([
  ['our server', () => startRegistry()],
  ['an untouched MLflow', () => startMlflow()],
])(`both clients on %s ${mlflowSkip}`, (_, startServer) => {
  let server: TestRegistry | Mlflow
  let url: string
  beforeAll(async () => {
    server = await startServer()
    url = server.url
  })
  afterAll(() => server.stop())

  const opened = (): Registry => {
    const registry = createRegistry({ trackingUri: url, strict: true, timeoutMs: 10_000, env: {} })
    onTestFinished(() => registry.close())
    return registry
  }

  it('Python reads what ours wrote', { timeout: PYTHON_MS }, async () => {
    const registry = opened()
    const text = {
      name: 'from-ts',
      template: 'Hi {{ name }}, "quoted" \\n é ☕ {"json": {}}',
      commitMessage: 'made in TypeScript',
      modelConfig: { temperature: 0, max_tokens: 5, stop_sequences: ['\n'], reasoning: { effort: 'low' } },
      responseFormat: { type: 'object', properties: {} },
      tags: { team: 'b' },
    }
    const chat = [
      { role: 'system', content: 'Be {{ tone }} ☕' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 't1', type: 'function', function: { name: 'look', arguments: '{}' } }],
      },
      { role: 'user', content: [{ type: 'text', text: '{{ question }}' }] },
    ]
    const made = await registry.register(text)
    await registry.register({ name: 'chat-from-ts', template: chat })
    await registry.setAlias('from-ts', 'production', made.version)

    const seen = await python<Record<string, Told> & { formatted: string }>(
      url,
      `
p = mlflow.genai.load_prompt("prompts:/from-ts@production")
chat = mlflow.genai.load_prompt("chat-from-ts")
answer({"text": told(p), "formatted": p.format(name="Ada"), "chat": told(chat),
        "found": [q.name for q in mlflow.genai.search_prompts(filter_string="name LIKE '%from-ts'")]})
`,
    )
    expect(seen.text).toMatchObject({
      name: text.name,
      version: 1,
      template: text.template,
      variables: ['name'],
      message: text.commitMessage,
      tags: text.tags,
      aliases: ['production'],
      model_config: text.modelConfig,
      response_format: text.responseFormat,
      is_text: true,
    })
    expect(seen.formatted).toBe(text.template.replace('{{ name }}', 'Ada'))
    expect(seen.chat).toMatchObject({ is_text: false, template: chat })
    expect(seen.found).toEqual(['chat-from-ts', 'from-ts'])
  })

  it('ours reads what Python wrote', { timeout: PYTHON_MS }, async () => {
    await python(
      url,
      `
mlflow.genai.register_prompt(
    "from-python", "Hi {{name}} \\u00e9 \\u2615", commit_message="made in Python", tags={"team": "a"},
    model_config={"temperature": 0.5, "top_k": 3}, response_format={"type": "object"})
mlflow.genai.register_prompt("from-python", "Hi again {{ name }}")
mlflow.genai.set_prompt_alias("from-python", "production", 1)
mlflow.genai.register_prompt("chat-from-python", [{"role": "user", "content": "{{ question }} \\u2615"}])
answer(None)
`,
    )
    const registry = opened()
    const content = {
      template: 'Hi {{name}} é ☕',
      modelConfig: { temperature: 0.5, top_k: 3 },
      responseFormat: { type: 'object' },
    }
    const prompt = await registry.load('from-python')
    expect(prompt).toMatchObject({
      ...content,
      ...{ name: 'from-python', version: 1, alias: 'production', tags: { team: 'a' }, source: 'registry' },
      ...{ digest: await digestOf(content), variables: ['name'] },
    })
    expect(prompt.format({ name: 'Ada' })).toBe('Hi Ada é ☕')
    expect(await registry.load('prompts:/from-python/2')).toMatchObject({ template: 'Hi again {{ name }}' })
    expect(await registry.load('chat-from-python@latest')).toMatchObject({
      template: [{ role: 'user', content: '{{ question }} ☕' }],
    })
    expect((await registry.versions('from-python')).items).toMatchObject([
      { version: 2 },
      { version: 1, commitMessage: 'made in Python' },
    ])
    expect((await registry.find('from-python')).aliases).toEqual({ production: 1 })
  })

  it('a move by either is seen by the other', { timeout: PYTHON_MS }, async () => {
    const registry = opened()
    for (const template of ['one', 'two', 'three']) await registry.register({ name: 'shared', template })
    await registry.setAlias('shared', 'production', 1)
    const seen = await python<string[]>(
      url,
      `
load = lambda: mlflow.genai.load_prompt("prompts:/shared@production", cache_ttl_seconds=0).template
before = load()
mlflow.genai.set_prompt_alias("shared", "production", 2)
answer([before, load()])
`,
    )
    expect(seen).toEqual(['one', 'two'])
    expect(await registry.load('shared', { maxAgeMs: 0 })).toMatchObject({ version: 2, template: 'two' })
  })
})
