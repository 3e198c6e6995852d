import { describe, expect, it, onTestFinished } from 'vitest'
import { digestOf } from './digest.ts'
import type { PromptInfo } from './prompt.ts'
import { readRollout } from './rollout.ts'
import type { Change, Transport, VersionDraft } from './transport.ts'
import { TAG } from './wire-keys.ts'

export interface Opened {
  readonly transport: Transport
  readonly close?: () => Promise<void> | void
}

/**
 * The contract of `Transport`, as tests. A new transport is done when this passes with no test of its own. The
 * registry behind it may hold other prompts: each test makes its own names.
 */
export function describeTransport(name: string, open: () => Promise<Opened>, skip = '') {
  describe.skipIf(skip !== '')(`transport: ${name}${skip && ` (skipped: ${skip})`}`, () => {
    async function start() {
      const { transport, close } = await open()
      onTestFinished(async () => close?.())
      const prompt = `p-${crypto.randomUUID()}`
      const register = (draft: Partial<VersionDraft> = {}) =>
        transport.register({ name: prompt, template: 'Hello {{ name }}', ...draft })
      return { transport, prompt, register }
    }

    it('keeps a text to the last character', async () => {
      const { transport, prompt, register } = await start()
      const template = ' {"a": {{ b }}} "q" \'s\' \\n \r\n\ttab é 漢 👍🏽 {{ $& }} %s </script> '
      const tags = { [TAG.gitCommit]: 'abc', 'a key': 'é "quoted"' }
      const made = await register({ template, tags, commitMessage: 'first “one”' })
      const expected = {
        name: prompt,
        version: 1,
        template,
        commitMessage: 'first “one”',
        digest: await digestOf({ template }),
      }
      expect(made).toMatchObject({ ...expected, tags })
      const found = await transport.findByVersion(prompt, 1)
      expect(found).toMatchObject({ ...expected, tags })
      expect(found.createdAt).toBeGreaterThan(0)
      expect(found).not.toHaveProperty('modelConfig')
    })

    it('keeps chat messages, model settings and response format', async () => {
      const { transport, prompt, register } = await start()
      const content = {
        template: [
          { role: 'system', content: 'Be {{ tone }}' },
          {
            role: 'user',
            name: 'ada',
            content: [
              { type: 'text', text: 'Look at {{ this }}' },
              { type: 'image_url', image_url: { url: 'https://example.org/a.png', detail: 'low' } },
            ],
          },
          {
            role: 'assistant',
            tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{}' } }],
          },
          { role: 'tool', tool_call_id: '1', content: 'done' },
        ],
        modelConfig: {
          model_name: 'm',
          temperature: 0.5,
          max_tokens: 7,
          stop_sequences: ['x'],
          extra: { a: [1, null] },
        },
        responseFormat: { type: 'object', properties: { a: { type: 'string' } } },
      }
      await register(content)
      expect(await transport.findByVersion(prompt, 1)).toMatchObject({
        ...content,
        digest: await digestOf(content),
      })
    })

    it('appends: the same text again is a new version', async () => {
      const { transport, prompt, register } = await start()
      const first = await register()
      const second = await register()
      expect([first.version, second.version]).toEqual([1, 2])
      expect(second.digest).toBe(first.digest)
      expect((await transport.find(prompt)).latestVersion).toBe(2)
      expect((await transport.findByAlias(prompt, 'latest')).version).toBe(2)
    })

    it('describes a prompt by its first commit message, or by what is given', async () => {
      const { transport, prompt, register } = await start()
      await register({ commitMessage: 'made' })
      await register({ commitMessage: 'changed', description: 'ignored: the prompt exists' })
      expect((await transport.find(prompt)).description).toBe('made')
      await transport.register({
        name: `${prompt}-2`,
        template: 'x',
        description: 'given',
        commitMessage: 'made',
      })
      expect((await transport.find(`${prompt}-2`)).description).toBe('given')
    })

    it('tells absent prompts, aliases and versions apart', async () => {
      const { transport, prompt, register } = await start()
      await expect(transport.find(prompt)).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
      await expect(transport.findByAlias(prompt, 'a')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
      await expect(transport.versions(prompt)).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
      await expect(transport.moveAlias({ name: prompt, alias: 'a', to: 1 })).rejects.toMatchObject({
        code: 'PROMPT_NOT_FOUND',
      })
      await expect(transport.findByVersion(prompt, 1)).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
      await register()
      await expect(transport.findByAlias(prompt, 'a')).rejects.toMatchObject({
        code: 'ALIAS_NOT_FOUND',
        message: `prompt "${prompt}" has no alias "a" at ${transport.address}`,
      })
      await expect(transport.findByVersion(prompt, 2)).rejects.toMatchObject({
        code: 'VERSION_NOT_FOUND',
        message: `prompt "${prompt}" has no version 2 at ${transport.address}`,
      })
      await expect(transport.moveAlias({ name: prompt, alias: 'a', to: 2 })).rejects.toMatchObject({
        code: 'VERSION_NOT_FOUND',
      })
    })

    it('moves an alias, and says from where', async () => {
      const { transport, prompt, register } = await start()
      await register({ template: 'one' })
      await register({ template: 'two' })
      const first = await transport.moveAlias({ name: prompt, alias: 'production', to: 1, reason: 'start' })
      expect(first).toMatchObject({
        kind: 'alias.moved',
        prompt,
        alias: 'production',
        to: 1,
        reason: 'start',
      })
      expect(first).not.toHaveProperty('from')
      const second = await transport.moveAlias({ name: prompt, alias: 'production', to: 2 })
      expect(second).toMatchObject({ from: 1, to: 2 })
      expect(await transport.findByAlias(prompt, 'production')).toMatchObject({ version: 2, template: 'two' })
      expect((await transport.find(prompt)).aliases).toEqual({ production: 2 })
      expect((await transport.findByVersion(prompt, 2)).aliases).toEqual(['production'])
    })

    it('compares before it moves, when asked to', async () => {
      const { transport, prompt, register } = await start()
      await register()
      await register()
      const move = { name: prompt, alias: 'a' }
      await expect(transport.moveAlias({ ...move, to: 1, expected: 1 })).rejects.toMatchObject({
        code: 'CONFLICT',
        current: null,
      })
      await transport.moveAlias({ ...move, to: 1, expected: null })
      await expect(transport.moveAlias({ ...move, to: 2, expected: null })).rejects.toMatchObject({
        code: 'CONFLICT',
        current: 1,
      })
      expect((await transport.find(prompt)).aliases).toEqual({ a: 1 })
      await transport.moveAlias({ ...move, to: 2, expected: 1 })
      expect((await transport.find(prompt)).aliases).toEqual({ a: 2 })
    })

    it('keeps the evidence that a move was given', async () => {
      const { transport, prompt, register } = await start()
      await register()
      const evidence = `runs:/${'a'.repeat(32)}`
      expect(await transport.moveAlias({ name: prompt, alias: 'a', to: 1, evidence })).toMatchObject({
        evidence,
      })
      expect((await transport.changes(prompt)).items[0]).toMatchObject({ alias: 'a', to: 1, evidence })
    })

    it('forces nothing without a reason', async () => {
      const { transport, prompt, register } = await start()
      await register()
      await expect(
        transport.moveAlias({ name: prompt, alias: 'a', to: 1, force: true }),
      ).rejects.toMatchObject({ code: 'INVALID_INPUT' })
      expect((await transport.find(prompt)).aliases).toEqual({})
    })

    it('never takes alias "2" for version 2', async () => {
      const { transport, prompt, register } = await start()
      await register({ template: 'one' })
      await register({ template: 'two' })
      await transport.moveAlias({ name: prompt, alias: '2', to: 1 })
      expect((await transport.findByAlias(prompt, '2')).template).toBe('one')
      expect((await transport.findByVersion(prompt, 2)).template).toBe('two')
    })

    it('lists every prompt once, by name, over pages', async () => {
      const { transport, prompt } = await start()
      const mine = [1, 2, 3].map((n) => `${prompt}-${n}`)
      for (const name of mine) await transport.register({ name, template: 'x' })
      const names: string[] = []
      let pageToken: string | undefined
      do {
        const page = await transport.list({ limit: 2, pageToken })
        expect(page.items.length).toBeLessThanOrEqual(2)
        names.push(...page.items.map((item) => item.name))
        pageToken = page.nextPageToken
      } while (pageToken !== undefined)
      expect(names).toEqual([...new Set(names)].sort())
      expect(names.filter((name) => name.startsWith(prompt))).toEqual(mine)
    })

    it('lists what a prompt is, without its text', async () => {
      const { transport, prompt, register } = await start()
      await register({ commitMessage: 'made' })
      await register()
      await transport.moveAlias({ name: prompt, alias: 'production', to: 1 })
      const [listed, found] = [await listedAs(transport, prompt), await transport.find(prompt)]
      const expected = { name: prompt, description: 'made', aliases: { production: 1 }, latestVersion: 2 }
      expect(found).toMatchObject(expected)
      expect(listed).toMatchObject(expected)
      expect(listed).not.toHaveProperty('template')
      expect(listed?.createdAt).toBe(found.createdAt)
    })

    it('answers the prompts of a set side by side, each with its own', async () => {
      const { transport, prompt } = await start()
      const names = Array.from({ length: 12 }, (_, i) => `${prompt}-${i}`)
      for (const name of names) {
        await transport.register({ name, template: `text of ${name}` })
        await transport.moveAlias({ name, alias: 'production', to: 1 })
      }
      const asked = [...names, `${prompt}-none`]
      const answers = await Promise.allSettled(asked.map((name) => transport.findByAlias(name, 'production')))
      const seen = answers.map((it) => (it.status === 'fulfilled' ? it.value.template : it.reason.code))
      expect(seen).toEqual([...names.map((name) => `text of ${name}`), 'PROMPT_NOT_FOUND'])
    })

    it('tells how an alias is shared with the answer for the alias, which stays its own version', async () => {
      const { transport, prompt, register } = await start()
      await register({ template: 'one', tags: { [`${TAG.rolloutPrefix}production`]: '{"2":12.5}' } })
      await register({ template: 'two' })
      await transport.moveAlias({ name: prompt, alias: 'production', to: 1 })
      const { version, template, tags, digest } = await transport.findByAlias(prompt, 'production')
      expect([version, template]).toEqual([1, 'one'])
      expect(readRollout(tags, 'production', version)).toEqual(
        new Map([
          [1, 87.5],
          [2, 12.5],
        ]),
      )
      expect(readRollout(tags, 'experiment', version)).toBeUndefined()
      expect(digest).toBe(await digestOf({ template: 'one' })) // tags are no content
    })

    it('has no changes of a prompt that is not there', async () => {
      const { transport, prompt } = await start()
      await expect(transport.changes(prompt)).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
    })

    it("lists a prompt's versions newest first, with aliases, over pages", async () => {
      const { transport, prompt, register } = await start()
      for (const template of ['one', 'two', 'three']) await register({ template })
      await transport.moveAlias({ name: prompt, alias: 'a', to: 2 })
      const first = await transport.versions(prompt, { limit: 2 })
      expect(first.items.map((v) => [v.version, v.template, v.aliases])).toEqual([
        [3, 'three', []],
        [2, 'two', ['a']],
      ])
      const second = await transport.versions(prompt, { limit: 2, pageToken: first.nextPageToken })
      expect(second.items.map((v) => v.version)).toEqual([1])
      expect(second.nextPageToken).toBeUndefined()
    })

    it('seeds an absent prompt once, whoever asks', async () => {
      const { transport, prompt } = await start()
      const draft = { name: prompt, alias: 'production', template: 'seeded', modelConfig: { temperature: 0 } }
      const results = await Promise.all([1, 2, 3, 4].map(() => transport.seed(draft)))
      const current = { version: 1, digest: await digestOf(draft) }
      expect(results.map(({ outcome }) => outcome).sort()).toEqual([
        'seeded',
        'skipped',
        'skipped',
        'skipped',
      ])
      for (const result of results) expect(result.current).toEqual(current)
      expect((await transport.versions(prompt)).items).toHaveLength(1)
      expect(await transport.findByAlias(prompt, 'production')).toMatchObject({
        version: 1,
        template: 'seeded',
      })
    })

    it('never touches an existing prompt when it seeds', async () => {
      const { transport, prompt, register } = await start()
      await register({ template: 'theirs' })
      expect(await transport.seed({ name: prompt, alias: 'a', template: 'ours' })).toEqual({
        outcome: 'skipped',
      })
      await transport.moveAlias({ name: prompt, alias: 'a', to: 1 })
      expect(await transport.seed({ name: prompt, alias: 'a', template: 'ours' })).toEqual({
        outcome: 'skipped',
        current: { version: 1, digest: await digestOf({ template: 'theirs' }) },
      })
      expect((await transport.versions(prompt)).items).toHaveLength(1)
    })

    it('remembers at least the last move of each alias, newest first', async () => {
      const { transport, prompt, register } = await start()
      await register()
      await register()
      await transport.moveAlias({ name: prompt, alias: 'a', to: 1, reason: 'first' })
      await transport.moveAlias({ name: prompt, alias: 'a', to: 2, reason: 'a "reason" 👍' })
      const moves = (await allChanges(transport, prompt)).filter(({ kind }) => kind === 'alias.moved')
      expect(moves[0]).toMatchObject({ prompt, alias: 'a', from: 1, to: 2, reason: 'a "reason" 👍' })
      expect(moves[0]?.at).toBeGreaterThan(0)
    })

    it('has the whole history when it says so', async () => {
      const { transport, prompt, register } = await start()
      if (!(await transport.capabilities()).history) return
      await register()
      await transport.moveAlias({ name: prompt, alias: 'a', to: 1 })
      await register()
      const changes = await allChanges(transport, prompt)
      expect(changes.map(({ kind, to }) => [kind, to])).toEqual([
        ['version.registered', 2],
        ['alias.moved', 1],
        ['version.registered', 1],
      ])
      const seqs = changes.map(({ seq }) => seq as number)
      expect(seqs).toEqual([...seqs].sort((a, b) => b - a))
    })

    it('says what it can do', async () => {
      const { transport } = await start()
      const { server, version, ...can } = await transport.capabilities()
      expect(version).not.toBe('')
      const all = server === 'promptkeep'
      expect(can).toMatchObject({ seed: all, compareAndSet: all, history: all })
    })

    it("gives up when its caller does, with the caller's reason", async () => {
      const { transport, prompt, register } = await start()
      await register()
      const reason = new Error('changed my mind')
      const given = { signal: AbortSignal.abort(reason) }
      await expect(transport.findByVersion(prompt, 1, given)).rejects.toBe(reason)
      await expect(transport.register({ name: prompt, template: 'x' }, given)).rejects.toBe(reason)
      expect((await transport.find(prompt)).latestVersion).toBe(1)
    })
  })
}

async function listedAs(transport: Transport, prompt: string): Promise<PromptInfo | undefined> {
  let pageToken: string | undefined
  do {
    const page = await transport.list({ limit: 1000, pageToken })
    const found = page.items.find(({ name }) => name === prompt)
    if (found) return found
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return undefined
}

/** Two at a time, so that pages are followed. */
async function allChanges(transport: Transport, prompt: string): Promise<Change[]> {
  const all: Change[] = []
  let pageToken: string | undefined
  do {
    const page = await transport.changes(prompt, { limit: 2, pageToken })
    all.push(...page.items)
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return all
}
