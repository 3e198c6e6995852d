import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createTestCli } from '../test-io.ts'

it('status names the texts that are newer than the types, and generate settles it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const cli = createTestCli(dir)
  const write = (name: string, text: string) => writeFile(join(dir, 'prompts', `${name}.md`), text)
  await mkdir(join(dir, 'prompts'))
  await write('greet', 'Hi')
  await write('memory', 'Remember {{ what }}')
  await cli.run('push', '--alias', 'production')
  expect((await cli.run('status')).err).not.toContain('types')
  await cli.run('generate')
  expect((await cli.run('status')).err).not.toContain('types')

  await write('memory', 'Keep {{ what }}')
  await write('unknown', 'made later')
  expect((await cli.run('status')).err).toContain(
    'Changed since the types were made: memory. Whether the types are still right: promptkeep generate --check\n',
  )
  await cli.run('push', '--alias', 'production')
  expect((await cli.run('status')).err).toContain('Changed since the types were made: memory. ')
  await cli.run('generate')
  expect((await cli.run('status')).err).not.toContain('types')
})
