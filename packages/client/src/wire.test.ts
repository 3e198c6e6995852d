import { describe, expect, it } from 'vitest'
import { checkMessages } from './chat-message.ts'
import { digestOf } from './digest.ts'
import { toChange, toSeedResult } from './own-wire.ts'
import { contentFromTags, toPromptVersion } from './wire.ts'
import { errorFromWire } from './wire-error.ts'
import { TAG } from './wire-keys.ts'
import { toPage, toPromptInfo } from './wire-lists.ts'
import { versionTags } from './wire-tags.ts'

const tagList = (tags: Record<string, string | undefined>) =>
  Object.entries(tags).map(([key, value]) => ({ key, value }))
const version = (tags: Record<string, string | undefined>, more = {}) => ({
  name: 'memory',
  version: '3',
  creation_timestamp: 1795363594770,
  tags: tagList(tags),
  ...more,
})

describe('toPromptVersion', () => {
  it('reads what Python wrote: ASCII escapes, spaces, no digest tag', async () => {
    const wire = version(
      {
        [TAG.isPrompt]: 'true',
        [TAG.type]: 'chat',
        [TAG.text]: '[{"role": "user", "content": "caf\\u00e9 {{ x }}"}]',
        [TAG.modelConfig]: '{"temperature": 1.0, "max_tokens": 5}',
        author: 'ada',
      },
      { description: 'first', aliases: ['production'] },
    )
    const template = [{ role: 'user', content: 'café {{ x }}' }]
    const modelConfig = { temperature: 1, max_tokens: 5 }
    expect(await toPromptVersion(wire)).toEqual({
      name: 'memory',
      version: 3,
      template,
      modelConfig,
      commitMessage: 'first',
      tags: { author: 'ada' },
      aliases: ['production'],
      createdAt: 1795363594770,
      digest: await digestOf({ template, modelConfig }),
    })
  })

  it('reads what protobuf leaves out: no type, no description, no aliases, a tag without value', async () => {
    expect(await toPromptVersion(version({ [TAG.text]: 'x', empty: undefined }))).toMatchObject({
      template: 'x',
      commitMessage: '',
      aliases: [],
      tags: { empty: '' },
    })
  })

  it('takes the empty list that Python stores for the text that it is', async () => {
    expect((await toPromptVersion(version({ [TAG.text]: '[]', [TAG.type]: 'text' }))).template).toBe('[]')
  })

  it.each([
    { of: 'a plain model', tags: {}, says: /"memory" version 3 is not a prompt/ },
    {
      of: 'chat without a role',
      tags: { [TAG.text]: '[{"content": "x"}]', [TAG.type]: 'chat' },
      says: /holds no chat messages/,
    },
    {
      of: 'chat that is no JSON',
      tags: { [TAG.text]: '[', [TAG.type]: 'chat' },
      says: /holds no chat messages/,
    },
    {
      of: 'settings that are no object',
      tags: { [TAG.text]: 'x', [TAG.modelConfig]: '[]' },
      says: /no JSON object in its tag _mlflow_prompt_model_config/,
    },
    ...[
      '[{"role":"user","content":5}]',
      '[{"role":"user","content":{"a":1}}]',
      '[{"role":"user","content":true}]',
      '[{"role":"user","content":["hi",null,3]}]',
      '{"a":1}',
      'true',
      '["hi",null,3]',
      '[{"role":"user","content":"x","tool_calls":5}]',
    ].map((text) => ({
      of: `chat that is ${text}`,
      tags: { [TAG.text]: text, [TAG.type]: 'chat' },
      says: /^"memory" version 3 holds no chat messages in its tag mlflow.prompt.text/,
    })),
  ])('refuses $of', async ({ tags, says }) => {
    await expect(toPromptVersion(version(tags))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(says),
    })
  })

  it.each([
    undefined,
    null,
    'x',
    [],
    {},
    { name: 5, version: '1' },
    { name: 'a', version: 'x' },
    { name: 'a', version: '1', tags: 'x' },
  ])('cannot read %j', async (wire) =>
    expect(toPromptVersion(wire)).rejects.toMatchObject({ code: 'UNAVAILABLE' }),
  )
})

describe('versionTags', () => {
  it('is read back by contentFromTags, and carries the digest', async () => {
    const content = {
      template: [{ role: 'user', content: '👍 "x" {{ a }}' }],
      modelConfig: { temperature: 0 },
      responseFormat: { type: 'object' },
    }
    const tags = await versionTags({ ...content, tags: { mine: '1' } })
    expect(contentFromTags(tags, checkMessages)).toEqual(content)
    expect(tags).toMatchObject({
      [TAG.isPrompt]: 'true',
      [TAG.type]: 'chat',
      [TAG.digest]: await digestOf(content),
      mine: '1',
    })
  })
})

describe('other answers', () => {
  it('toPromptInfo finds the newest of all stages, and hides the mark of a prompt', () => {
    const wire = {
      name: 'memory',
      creation_timestamp: 1,
      last_updated_timestamp: 2,
      tags: tagList({ [TAG.isPrompt]: 'True', team: 'x' }),
      aliases: [{ alias: 'a', version: '2' }],
      latest_versions: [{ version: '2' }, { version: '10' }, { version: '9' }],
    }
    expect(toPromptInfo(wire)).toEqual({
      name: 'memory',
      description: '',
      tags: { team: 'x' },
      aliases: { a: 2 },
      latestVersion: 10,
      createdAt: 1,
      updatedAt: 2,
    })
    expect(() => toPromptInfo({ ...wire, tags: [] })).toThrow(/registered as a model, not as a prompt/)
  })

  it('toPage takes an absent list for an empty one, and "" for no token', async () => {
    expect(await toPage({ next_page_token: '' }, 'items', async (x) => x)).toEqual({ items: [] })
    expect(await toPage({ items: [{}], next_page_token: 't' }, 'items', async () => 1)).toEqual({
      items: [1],
      nextPageToken: 't',
    })
  })

  it('toChange leaves out what does not apply', () => {
    expect(
      toChange({ seq: 5, kind: 'prompt.renamed', prompt: 'a', new_name: 'b', at: 7, from: null }),
    ).toEqual({
      seq: 5,
      kind: 'prompt.renamed',
      prompt: 'a',
      newName: 'b',
      at: 7,
    })
  })

  it('toSeedResult refuses an outcome that it does not know', () => {
    expect(() => toSeedResult({ outcome: 'maybe' })).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
    expect(toSeedResult({ outcome: 'skipped', current: null })).toEqual({ outcome: 'skipped' })
  })
})

describe('errorFromWire', () => {
  const address = 'http://host'
  const missing = (message: string) => ({ error_code: 'RESOURCE_DOES_NOT_EXIST', message })
  const invalid = (message: string) => ({ error_code: 'INVALID_PARAMETER_VALUE', message })
  const about = { name: 'memory', alias: 'ghost', version: 9 }
  it.each([
    [
      404,
      missing('Registered Model with name=memory not found'),
      'PROMPT_NOT_FOUND',
      /^there is no prompt "memory" at http:\/\/host$/,
    ],
    [
      404,
      missing('Model Version (name=memory, version=9) not found'),
      'VERSION_NOT_FOUND',
      /^prompt "memory" has no version 9 at/,
    ],
    [404, missing('Latest version not found for model memory.'), 'VERSION_NOT_FOUND', /has no version/],
    [404, missing("Workspace 'x' not found"), 'INVALID_INPUT', /Workspace 'x' not found/],
    [404, '<html>', 'UNAVAILABLE', /is no registry.*check the tracking URI/],
    [404, { error_code: 'ENDPOINT_NOT_FOUND', message: 'x' }, 'UNAVAILABLE', /is no registry/],
    [405, undefined, 'UNAVAILABLE', /is no registry/],
    [
      400,
      invalid('Registered model alias ghost not found.'),
      'ALIAS_NOT_FOUND',
      /^prompt "memory" has no alias "ghost" at/,
    ],
    [
      400,
      invalid('Prompt text exceeds max length of 100000 characters.'),
      'INVALID_INPUT',
      /refused.*100000/,
    ],
    [400, { error_code: 'RESOURCE_ALREADY_EXISTS', message: 'x' }, 'INVALID_INPUT', /x/],
    [413, undefined, 'INVALID_INPUT', /HTTP 413/],
    [401, 'You are not authenticated', 'UNAUTHENTICATED', /MLFLOW_TRACKING_TOKEN/],
    [
      403,
      { error_code: 'PERMISSION_DENIED', message: 'Permission denied' },
      'FORBIDDEN',
      /memory.*Permission denied/,
    ],
    [409, { error_code: 'RESOURCE_CONFLICT', message: 'is at 3', current: 3 }, 'CONFLICT', /is at 3/],
    [408, undefined, 'UNAVAILABLE', /HTTP 408/],
    [429, undefined, 'UNAVAILABLE', /asked too often/],
    [500, { error_code: 'INTERNAL_ERROR', message: 'boom' }, 'UNAVAILABLE', /HTTP 500\): boom/],
    [503, undefined, 'UNAVAILABLE', /HTTP 503/],
  ])('%i %j is %s', (status, body, code, says) => {
    const error = errorFromWire(status, body, { ...about, address })
    expect(error).toMatchObject({ code, status, message: expect.stringMatching(says) })
  })

  it('keeps what the wire said', () => {
    expect(errorFromWire(400, invalid('x'), { address })).toMatchObject({
      status: 400,
      mlflowCode: 'INVALID_PARAMETER_VALUE',
    })
    expect(errorFromWire(409, { current: 3 }, { address })).toMatchObject({ current: 3 })
    expect(errorFromWire(409, {}, { address })).toMatchObject({ current: null })
  })
})
