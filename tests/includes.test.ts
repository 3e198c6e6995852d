import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, type RegistryOptions } from '@promptkeep/client'
import { partsOf } from '@promptkeep/client/includes'
import { digestOf, silent } from '@promptkeep/client/protocol'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { asking, createTestCli } from '../packages/cli/src/test-io.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { type Mlflow, mlflowSkip, startMlflow } from './support/mlflow.ts'
import { PYTHON_MS, python } from './support/python-client.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

function opened(trackingUri: string, options: RegistryOptions = {}) {
  const registry = createRegistry({ trackingUri, timeoutMs: 10_000, env: {}, logger: silent, ...options })
  onTestFinished(() => registry.close())
  return registry
}

async function folderOf(files: Readonly<Record<string, string>>) {
  const home = await mkdtemp(join(tmpdir(), 'promptkeep-includes-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  await mkdir(join(home, 'prompts'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(home, 'prompts', `${name}.md`), text)
  return home
}

const servers: { where: string; skip: string; begin(): Promise<TestRegistry | Mlflow> }[] = [
  ...databases.map(({ database, skip, start }) => ({
    where: `our server on ${database}`,
    skip,
    async begin() {
      const own: TestDatabase = await start()
      const server = await startRegistry(own.env)
      const stop = async () => {
        await server.stop()
        await own.stop()
      }
      return { ...server, stop }
    },
  })),
  { where: 'an untouched MLflow', skip: mlflowSkip, begin: () => startMlflow() },
]

for (const { where, skip, begin } of servers) {
  describe.skipIf(skip)(`includes on ${where} ${skip}`.trim(), () => {
    let server: TestRegistry | Mlflow
    beforeAll(async () => {
      server = await begin()
    })
    afterAll(() => server.stop())

    it('are registered expanded, with what was included and how it was written', async () => {
      const registry = opened(server.url)
      const tone = await registry.register({ name: 'tone', template: 'kind to {{ user }}' })
      await registry.setAlias('tone', 'production', tone.version)
      const template = 'Be {% include "tone@production" %}.\n{% include "tone/1" %} {% include "tone" %}'
      const made = await registry.register({ name: 'memory', template })
      expect(made.template).toBe('Be kind to {{ user }}.\nkind to {{ user }} kind to {{ user }}')
      await registry.setAlias('memory', 'production', made.version)
      const prompt = await registry.load('memory')
      expect(prompt.format({ user: 'Ada' })).toBe('Be kind to Ada.\nkind to Ada kind to Ada')
      const { digest } = tone
      expect(partsOf(prompt.tags)).toEqual([
        { name: 'tone', version: 1, alias: 'production', digest },
        { name: 'tone', version: 1, pinned: true, digest },
        { name: 'tone', version: 1, digest },
      ])
      expect(prompt.tags['promptkeep.source_template']).toBe(template)
      expect(prompt.digest).toBe(await digestOf({ template: made.template }))
    })

    it('that cannot be expanded register nothing', async () => {
      const registry = opened(server.url)
      for (const text of ['{% include "nobody" %}', '{% include "loner" %}', '{% include loner %}'])
        await expect(registry.register({ name: 'loner', template: text })).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining(`line 1: ${text}`),
        })
      await expect(registry.find('loner')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
    })

    it('go from files to the registry and back; a part that moves on is told and taken', async () => {
      const files = {
        style: '{% include "words" %} and brief',
        words: 'plain words ☕',
        advice:
          '---\ntype: chat\n---\n\n- role: system\n  content: Use {% include "style" %}\n- role: user\n  content: "{{ q }}"\n',
      }
      const home = await folderOf(files)
      const cli = createTestCli(home, asking(server.url))
      expect(await cli.run('push', '--alias', 'production')).toMatchObject({ code: 0 })
      expect(await cli.run('status', '--check', '--strict-parts')).toMatchObject({ code: 0 })
      const registry = opened(server.url)
      expect((await registry.load('advice')).template).toEqual([
        { role: 'system', content: 'Use plain words ☕ and brief' },
        { role: 'user', content: '{{ q }}' },
      ])
      const { version } = await registry.register({ name: 'words', template: 'short words' })
      await registry.setAlias('words', 'production', version)
      expect((await cli.run('pull')).out).toMatch(/^words +written/)
      const status = await cli.run('status', '--check', '--strict-parts')
      expect(status.code).toBe(1)
      expect(status.out).toMatch(/^advice .*words@production was v1, now v2: push style, then/m)
      expect(await cli.run('push', '--alias', 'production')).toMatchObject({ code: 0 })
      expect(await cli.run('status', '--check', '--strict-parts')).toMatchObject({ code: 0 })
      expect(await opened(server.url).load('advice')).toMatchObject({
        template: [{ content: 'Use short words and brief' }, {}],
      })
      const again = await mkdtemp(join(home, 'again-'))
      expect(await cli.run('pull', again, '--only', 'style', 'advice')).toMatchObject({ code: 0 })
      expect(await cli.run('diff', 'style', `${again}/style.md`)).toMatchObject({ code: 0, out: '' })
      expect((await cli.run('diff', 'advice', './prompts/advice.md')).out).toBe('')
    })

    it('in bundled defaults are seeded and served with their parts in them', async () => {
      const defaults = { hello: 'Hello, {% include "sign" %}', sign: 'yours {{ name }}' }
      const registry = opened(server.url, { defaults })
      expect((await registry.seed()).seeded).toEqual(expect.arrayContaining(['hello', 'sign']))
      const seeded = await registry.load('hello')
      expect(seeded).toMatchObject({ source: 'registry', template: 'Hello, yours {{ name }}' })
      const away = opened('http://127.0.0.1:9', { defaults, timeoutMs: 500 })
      const bundled = await away.load('hello')
      expect(bundled).toMatchObject({ source: 'default', template: seeded.template, digest: seeded.digest })
      expect((await opened(server.url, { defaults }).seed()).drifted).toEqual([])
      const broken = opened(server.url, { defaults: { hello: '{% include "nothing" %}' } })
      await expect(broken.seed()).rejects.toThrow(/defaults\["hello"\]: line 1: .*no default "nothing"/)
    })

    it.skipIf(mlflowSkip)('are one text to Python', { timeout: PYTHON_MS }, async () => {
      const registry = opened(server.url)
      await registry.register({ name: 'rule', template: 'say {{ word }}{% if loud %}!{% endif %}' })
      await registry.register({ name: 'talk', template: 'Now {% include "rule@latest" %}' })
      const seen = await python<{ template: string; loud: string; digest: string }>(
        server.url,
        `
p = mlflow.genai.load_prompt("prompts:/talk/1")
answer({"template": p.template, "loud": p.format(word="hi", loud=True), "digest": p.tags["promptkeep.digest"]})
`,
      )
      const template = 'Now say {{ word }}{% if loud %}!{% endif %}'
      expect(seen).toEqual({ template, loud: 'Now say hi!', digest: await digestOf({ template }) })
    })
  })
}
