import type { ModelConfig, Prompt } from '@promptkeep/client'
import { describe, expect, it } from 'vitest'
import { ignoredConfigs, type ModelSettingsInput, resolveModelSettings } from './model-settings.ts'

const resolve = (input: Partial<ModelSettingsInput>) =>
  resolveModelSettings({ environment: { model_name: 'gpt-4.1' }, allowedModels: [], ...input })

describe('resolveModelSettings', () => {
  it('takes each key from the first layer that has it: request, prompt, environment', () => {
    const { model, settings } = resolve({
      request: { max_tokens: 10 },
      prompt: { max_tokens: 20, temperature: 0.2 },
      environment: { model_name: 'gpt-4.1', max_tokens: 30, temperature: 0.3, top_p: 0.5 },
    })
    expect({ model, settings }).toEqual({
      model: 'gpt-4.1',
      settings: { maxTokens: 10, temperature: 0.2, topP: 0.5 },
    })
  })

  it('sends a zero, and treats null as not given', () => {
    const { settings } = resolve({
      request: { temperature: 0, max_tokens: null } as unknown as ModelConfig,
      prompt: { temperature: 1, max_tokens: 20, frequency_penalty: 0, presence_penalty: -0.5 },
    })
    expect(settings).toEqual({
      temperature: 0,
      maxTokens: 20,
      frequencyPenalty: 0,
      presencePenalty: -0.5,
    })
  })

  it('hands top_k, stop sequences and extras to the provider as they are, and the provider key to nobody', () => {
    const { settings, refused } = resolve({
      prompt: {
        provider: 'openai',
        top_k: 40,
        stop_sequences: ['END'],
        seed: 7,
        reasoning: { effort: 'low' },
      },
    })
    expect(settings).toEqual({
      providerData: { top_k: 40, stop: ['END'], seed: 7, reasoning: { effort: 'low' } },
    })
    expect(refused).toEqual([])
  })

  it.each([
    { rule: 'request over prompt', request: 'b', prompt: 'c', want: 'b' },
    { rule: 'prompt over environment', prompt: 'c', want: 'c' },
    { rule: 'environment last', want: 'a' },
    { rule: "the environment's model is always allowed", request: 'a', prompt: 'b', want: 'a' },
  ])('model: $rule', ({ request, prompt, want }) => {
    const named = (name?: string) => (name ? { model_name: name } : undefined)
    const { model, refused } = resolve({
      request: named(request),
      prompt: named(prompt),
      environment: { model_name: 'a' },
      allowedModels: ['b', 'c'],
    })
    expect([model, refused]).toEqual([want, []])
  })

  it('refuses a model that is not allowed, and goes on with the next layer', () => {
    const { model, refused } = resolve({ request: { model_name: 'x' }, allowedModels: ['b'] })
    expect(model).toBe('gpt-4.1')
    expect(refused).toEqual([
      { from: 'request', setting: 'model_name', value: 'x', reason: 'must be one of gpt-4.1, b' },
    ])
  })

  it('refuses what would replace the conversation, and a number that is none', () => {
    const { settings, refused } = resolve({
      prompt: { messages: [], tools: [], stream: false, temperature: 'hot' } as unknown as ModelConfig,
      environment: { model_name: 'a', temperature: 0.4 },
    })
    expect(settings).toEqual({ temperature: 0.4 })
    expect(refused.map(({ setting, reason }) => [setting, reason])).toEqual([
      ['messages', 'is decided by the application'],
      ['tools', 'is decided by the application'],
      ['stream', 'is decided by the application'],
      ['temperature', 'must be a number'],
    ])
  })
})

describe('ignoredConfigs', () => {
  const prompt = (name: string, modelConfig?: ModelConfig) => ({ name, modelConfig }) as Prompt

  it('names later parts whose config differs from the first', () => {
    expect(
      ignoredConfigs([
        prompt('a', { temperature: 0, max_tokens: 5 }),
        prompt('same', { max_tokens: 5, temperature: 0 }),
        prompt('none'),
        prompt('more', { temperature: 0, max_tokens: 5, top_p: 1 }),
      ]),
    ).toEqual(['more'])
  })

  it('names a later config when the first has none: it is not taken over', () => {
    expect(ignoredConfigs([prompt('a'), prompt('b', { temperature: 0 })])).toEqual(['b'])
  })
})
