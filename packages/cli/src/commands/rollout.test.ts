import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryTransport } from '@promptkeep/client/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { startRegistry } from '../../../../tests/support/registry.ts'
import { asking, createTestCli, type TestCli } from '../test-io.ts'

let cli: TestCli
let dir: string
let url: string

/** `memory` with three versions, production at v1 (#2). */
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  const server = await startRegistry()
  url = server.url
  cli = createTestCli(dir).with(asking(url))
  await cli.run('register', 'memory', '--template', 'one', '--alias', 'production')
  for (const template of ['two', 'three']) await cli.run('register', 'memory', '--template', template)
  return async () => {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

const json = async (...args: string[]) => JSON.parse((await cli.run(...args, '--json')).out)
const setTag = (version: string, value: string) =>
  fetch(`${url}/api/2.0/mlflow/model-versions/set-tag`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'memory', version, key: 'promptkeep.rollout.production', value }),
  })

describe('rollout', () => {
  it('shares an alias, and says what was', async () => {
    expect(await cli.run('rollout', 'memory', '1=90', 'v2=10%', '--reason', 'a first look')).toEqual({
      code: 0,
      out: 'memory@production: v1 90 %, v2 10 %  (was v1, change #5)\n',
      err: '',
    })
    const { changes } = await json('history', 'memory', '--limit', '1')
    expect(changes).toMatchObject([{ kind: 'rollout.changed', reason: 'a first look', to: 1 }])
    expect((await cli.run('history', 'memory', '--limit', '1')).out).toContain('production v1 90 %, v2 10 %')
    expect((await cli.run('rollout', 'memory', '2=10', '1=90')).out).toBe(
      'memory@production: v1 90 %, v2 10 %  (was v1 90 %, v2 10 %, nothing to change)\n',
    )
  })

  it('shows the present split with bars', async () => {
    expect(await cli.run('rollout', 'memory')).toEqual({
      code: 0,
      out: `memory@production\nv1    100 %  ${'█'.repeat(40)}\n`,
      err: 'It is not shared: v1 gets all.\n',
    })
    await cli.run('rollout', 'memory', '1=89.5', '2=10', '3=0.5')
    expect(await cli.run('rollout', 'memory')).toEqual({
      code: 0,
      out: [
        'memory@production',
        `v1   89.5 %  ${'█'.repeat(36)}`,
        `v2     10 %  ${'█'.repeat(4)}`,
        'v3    0.5 %  █',
        '',
      ].join('\n'),
      err: '',
    })
    expect(await json('rollout', 'memory')).toEqual({
      prompt: 'memory',
      alias: 'production',
      version: 1,
      weights: { '1': 89.5, '2': 10, '3': 0.5 },
    })
    expect((await cli.run('show', 'memory')).out).toContain(
      'rollout  production v1 89.5 %, v2 10 %, v3 0.5 %',
    )
    expect((await cli.run('resolve', 'memory')).out).toContain('rollout  v1 89.5 %, v2 10 %, v3 0.5 %')
  })

  it('ends where the alias is, or at another version', async () => {
    await cli.run('rollout', 'memory', '1=90', '2=10')
    expect((await cli.run('rollout', 'memory', '--end')).out).toBe(
      'memory@production: v1 100 %  (was v1 90 %, v2 10 %, change #6)\n',
    )
    await cli.run('rollout', 'memory', '1=90', '2=10')
    expect(await cli.run('rollout', 'memory', '--end', 'v2', '--reason', 'it won')).toEqual({
      code: 0,
      out: 'memory@production: v2 100 %  (was v1 90 %, v2 10 %, change #8)\n',
      err: 'The alias is at v2 now: who loads without a key gets that.\n',
    })
    expect(await json('show', 'memory')).toMatchObject({ version: 2 })
    expect((await cli.run('rollout', 'memory', '2=100')).out).toContain('nothing to change')
    // Back at v1 nothing of the split is left.
    await cli.run('alias', 'memory', 'production', '1')
    expect((await cli.run('rollout', 'memory')).err).toBe('It is not shared: v1 gets all.\n')
  })

  it('a rollback brings back the split, and says it', async () => {
    await cli.run('rollout', 'memory', '1=90', '2=10')
    await cli.run('rollout', 'memory', '--end', '2')
    expect((await cli.run('rollback', 'memory', '--reason', 'too curt')).out).toContain('v1 90 %, v2 10 %')
    expect(await json('rollout', 'memory')).toMatchObject({ version: 1, weights: { '1': 90, '2': 10 } })
    expect((await cli.run('rollback', 'memory', '--dry-run', '--reason', 'x')).out).toContain('dry run')
  })

  it('with --dry-run changes nothing', async () => {
    expect(await cli.run('rollout', 'memory', '2=60', '3=40', '--dry-run')).toEqual({
      code: 0,
      out: 'memory@production: v2 60 %, v3 40 %  (was v1, dry run: nothing changed)\n',
      err: '',
    })
    expect(await json('rollout', 'memory', '2=60', '3=40', '--dry-run')).toEqual({
      prompt: 'memory',
      alias: 'production',
      from: 1,
      version: 2,
      weights: { '2': 60, '3': 40 },
      dryRun: true,
      changes: [],
    })
    expect((await json('history', 'memory')).changes).toHaveLength(4)
  })

  it.each([
    [['1=90'], 'the shares must sum to 100 percent; they sum to 90'],
    [['1=90', '2=0', '3=10'], 'the share of version 2 must be a number above 0'],
    [['1=99.999', '2=0.001'], 'at most two decimals'],
    [['1=50', '1=50'], 'version 1 was given twice'],
    [['1:90', '2:10'], 'a share must be VERSION=PERCENT, such as 6=10'],
    [['1=-1', '2=101'], 'a share must be VERSION=PERCENT'],
    [['1=90', '9=10'], 'has no version 9; its newest is v3'],
    [['1=100', '--end'], 'cannot be given together'],
    [['1=90', '2=10', '--force'], '--force needs --reason'],
    [['1=90', '2=10', '--alias', 'latest'], '--alias'],
    [['--alias', 'staging'], 'has no alias "staging"; it has production'],
    [['--alias', 'staging', '--end'], 'there is nothing to end'],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await cli.run('rollout', 'memory', ...args)
    expect(err).toContain(message)
    expect(code).toBe(2)
    expect((await json('history', 'memory')).changes).toHaveLength(4)
  })

  it('a wrong name is told with the nearest, a lost compare-and-set with where the alias is', async () => {
    const lost = await cli.run('rollout', 'memroy', '1=100')
    expect(lost).toMatchObject({ code: 2, err: expect.stringContaining('memory') })
    for (const dry of [[], ['--dry-run']])
      expect(await cli.run('rollout', 'memory', '1=90', '2=10', '--expect', '2', ...dry)).toMatchObject({
        code: 1,
        err: expect.stringContaining('alias "production" of "memory" is at v1, not as --expect 2 says'),
      })
  })

  it('warns of a version that was deleted under it, and of weights that cannot be read', async () => {
    await cli.run('rollout', 'memory', '1=90', '2=10')
    await fetch(`${url}/api/2.0/mlflow/model-versions/delete`, {
      method: 'DELETE',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'memory', version: '2' }),
    })
    expect((await cli.run('rollout', 'memory')).err).toBe(
      'WARN  v2 is not there any more: whoever is to get it gets v1\n',
    )
    expect(await json('rollout', 'memory')).toMatchObject({ missing: [2] })
    await setTag('1', '90%')
    const { out, err } = await cli.run('rollout', 'memory')
    expect(out).toContain('v1    100 %')
    expect(err).toContain('cannot be read, so v1 gets all: 90%')
    expect((await cli.run('show', 'memory')).out).toContain('promptkeep.rollout.production=90%')
    expect((await cli.run('history', 'memory', '--limit', '1')).out).toContain('weights that cannot be read')
  })

  it('a plain move to a version that has weights says that they are in force now', async () => {
    await cli.run('rollout', 'memory', '1=90', '2=10')
    await cli.run('alias', 'memory', 'production', '3')
    expect(await cli.run('alias', 'memory', 'production', '1')).toEqual({
      code: 0,
      out: 'memory@production: v3 -> v1\n',
      err: 'v1 brings its rollout: v1 90 %, v2 10 %. End it: promptkeep rollout memory --alias production --end\n',
    })
  })

  it('a move away says that the split is off, and where it waits', async () => {
    await cli.run('rollout', 'memory', '1=90', '2=10')
    expect((await cli.run('alias', 'memory', 'production', '2', '--dry-run')).err).toBe(
      'v1 is shared (v1 90 %, v2 10 %); then all get v2. It would be in force again if production returned to v1.\n',
    )
    expect(await cli.run('alias', 'memory', 'production', '2')).toEqual({
      code: 0,
      out: 'memory@production: v1 -> v2\n',
      err: 'v1 was shared (v1 90 %, v2 10 %); now all get v2. It is in force again if production returns to v1.\n',
    })
    expect((await cli.run('alias', 'memory', 'production', '3')).err).toBe('')
    await cli.run('alias', 'memory', 'production', '1')
    expect((await cli.run('alias', 'memory', 'production', '1')).err).not.toContain('was shared')
    const registered = await cli.run('register', 'memory', '--template', 'four', '--alias', 'production')
    expect(registered.err).toBe(
      'v1 was shared (v1 90 %, v2 10 %); now all get v4. It is in force again if production returns to v1.\n',
    )
  })

  it('so does a push', async () => {
    await mkdir(join(dir, 'prompts'))
    await writeFile(join(dir, 'prompts/memory.md'), 'five')
    await cli.run('rollout', 'memory', '1=90', '2=10')
    const push = ['push', '--force', '--alias', 'production']
    expect((await cli.run(...push, '--dry-run')).err).toContain(
      'memory@production: v1 is shared (v1 90 %, v2 10 %); then all get the new version. It would be',
    )
    expect((await cli.run(...push)).err).toContain(
      'memory@production: v1 was shared (v1 90 %, v2 10 %); now all get v4. It is in force again if production returns to v1.\n',
    )
    await writeFile(join(dir, 'prompts/memory.md'), 'one')
    expect((await cli.run(...push)).err).toContain(
      'memory@production: v1 brings its rollout: v1 90 %, v2 10 %. End it',
    )
  })

  it('says of weights on a version that the alias does not point at that they do nothing', async () => {
    await setTag('2', '{"3":50}')
    expect((await cli.run('show', 'memory/2')).out).toContain(
      'production v2 50 %, v3 50 %  (not in force: production does not point here)',
    )
  })

  it('reads the split of any transport', async () => {
    const transport = createMemoryTransport()
    await transport.register({ name: 'memory', template: 'one' })
    const tags = { 'promptkeep.rollout.production': '{"1":25}' }
    await transport.register({ name: 'memory', template: 'two', tags })
    await transport.moveAlias({ name: 'memory', alias: 'production', to: 2 })
    const { out } = await createTestCli('.', {}, transport).run('rollout', 'memory')
    expect(out).toBe(`memory@production\nv1     25 %  ${'█'.repeat(10)}\nv2     75 %  ${'█'.repeat(30)}\n`)
  })
})

describe('an alias that no prompt has', () => {
  const warning = 'WARN prodcution is a new alias; did you mean production?\n'

  it.each([
    ['rollout', 'memory', '2=100', '--alias', 'prodcution'],
    ['alias', 'memory', 'prodcution', '2'],
    ['alias', 'memory', 'prodcution', '2', '--dry-run'],
    ['register', 'memory', '--template', 'four', '--alias', 'prodcution'],
    ['push', '--force', '--alias', 'prodcution'],
  ])('is warned of where it is a slip away from one that there is: %s', async (...args) => {
    await mkdir(join(dir, 'prompts'))
    await writeFile(join(dir, 'prompts/memory.md'), 'five')
    const { code, err } = await cli.run(...args)
    expect(err).toContain(warning)
    expect(code).toBe(0)
  })

  it('is not, where it is another word, of a series, or known of another prompt', async () => {
    const alias = async (name: string, given: string) => (await cli.run('alias', name, given, '1')).err
    await cli.run('register', 'weather', '--template', 'one')
    expect(await alias('memory', 'staging')).toBe('')
    expect(await alias('memory', 'candidate-1')).toBe('')
    expect(await alias('memory', 'candidate-2')).toBe('')
    expect(await alias('memory', 'prodcution')).toBe(warning)
    expect(await alias('weather', 'prodcution')).toBe('')
  })
})
