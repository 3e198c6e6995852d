import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RegistryError } from '@promptkeep/client'
import { beforeEach, describe, expect, it } from 'vitest'
import { createTestCli, type TestCli } from '../test-io.ts'

const SUITE = {
  name: 'tone',
  dataset: 'data/cases.yaml',
  target: 'http://127.0.0.1:1/chat',
  scorers: ['contains'],
  threshold: 1,
}

let dir: string
let cli: TestCli
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'promptkeep-eval-'))
  cli = createTestCli(dir)
  await mkdir(join(dir, 'evals', 'data'), { recursive: true })
  await write('evals/data/cases.yaml', [{ id: 'one', input: 'hi', expected: { contains: ['hi'] } }])
  await write('evals/tone.yaml', SUITE)
  return () => rm(dir, { recursive: true, force: true })
})

const write = (path: string, value: unknown) => writeFile(join(dir, path), JSON.stringify(value, null, 1))

describe('eval --dry-run', () => {
  it('checks every suite of ./evals, and asks nobody', async () => {
    await write('evals/also.yml', { ...SUITE, name: 'also' })
    const { code, out, err } = await cli.run('eval', '--dry-run')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^also: fine; 1 case \([0-9a-f]{12}\), target .*\ntone: fine; .*nothing was run\n$/)
    expect(cli.transport.calls).toEqual([])
  })

  it('takes a file, and another dataset', async () => {
    await write('other.json', [
      { id: 'a', input: 'x', expected: { contains: ['x'] } },
      { id: 'b', input: 'y', expected: { contains: ['y'] } },
    ])
    const { code, out } = await cli.run(
      'eval',
      'evals/tone.yaml',
      '--dataset',
      'other.json',
      '--dry-run',
      '--json',
    )
    expect({ code, json: JSON.parse(out) }).toMatchObject({
      code: 0,
      json: { exitCode: 0, suites: [{ suite: 'tone', cases: 2, gates: [{ threshold: 1 }] }] },
    })
  })

  it('names every mistake in every file, with its line', async () => {
    await write('evals/tone.yaml', { ...SUITE, scorers: ['contain'] })
    await write('evals/other.yaml', { ...SUITE, treshold: 1 })
    const { code, out, err } = await cli.run('eval', '--dry-run')
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(/other\.yaml:9: treshold: no such key here/)
    expect(err).toMatch(/tone\.yaml:\d: scorers\[0\]: unknown scorer "contain"/)
    expect(err).toContain('Nothing was run.')
  })
})

describe('eval refuses', () => {
  it.each([
    { rule: 'a suite that is not there', args: ['none.yaml'], want: 'there is no suite none.yaml' },
    { rule: 'a folder without suites', args: ['.'], want: 'the folder . holds no suites' },
    {
      rule: 'a threshold that is no rate',
      args: ['--pass-threshold', '80'],
      want: '--pass-threshold must be a number from 0 to 1',
    },
    {
      rule: 'an empty threshold',
      args: ['--pass-threshold', ''],
      want: '--pass-threshold must be a number from 0 to 1',
    },
    {
      rule: 'an alias that none can have',
      args: ['--prompt-alias', 'a b'],
      want: 'no alias can be named "a b"',
    },
    {
      rule: 'a dataset that is not there',
      args: ['--dataset', 'none.yaml'],
      want: 'none.yaml cannot be read',
    },
    ...[
      { flag: '--trials', given: '0', want: 'a whole number from 1 to 100' },
      { flag: '--concurrency', given: '65', want: 'a whole number from 1 to 64' },
      { flag: '--retries', given: '-1', want: 'a whole number from 0 to 10' },
      { flag: '--timeout', given: '0', want: 'a number of seconds above 0, and 3600 at most' },
      { flag: '--shard', given: '4/3', want: 'i/n with 1 ≤ i ≤ n ≤ 1000, such as 2/5' },
    ].map(({ flag, given, want }) => ({
      rule: `${flag} ${given}`,
      args: [`${flag}=${given}`],
      want: `${flag} must be ${want}`,
    })),
    {
      rule: '--all beside names',
      args: ['--all', 'evals/tone.yaml'],
      want: '--all runs every suite of ./evals: name suites, or give --all',
    },
    ...['--resume', '--dry-run', '--shard=1/2'].map((flag) => ({
      rule: `--merge with ${flag}`,
      args: ['evals', flag, '--merge', 'evals'],
      want: `--merge runs no case: it cannot be given with ${flag.split('=')[0]}`,
    })),
    {
      rule: 'shards that are not there',
      args: ['evals', '--merge', 'nowhere'],
      want: 'there is no file or folder nowhere',
    },
    {
      rule: 'a folder without shards',
      args: ['evals', '--merge', 'evals'],
      want: 'the folder evals holds no journals of eval runs',
    },
    {
      rule: 'what is no journal',
      args: ['evals', '--merge', 'evals/tone.yaml'],
      want: 'tone.yaml is no journal of an eval run',
    },
    {
      rule: 'an alias that no prompt has',
      args: ['--prompt-alias', 'canary'],
      want: 'nothing to judge under alias canary',
    },
  ])('$rule with exit 2', async ({ args, want }) => {
    const { code, out, err } = await cli.run('eval', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(want)
  })

  it('a suite with a judge when none is named, before any other suite runs', async () => {
    await write('evals/judged.yaml', {
      ...SUITE,
      name: 'judged',
      scorers: ['contains', { judge: { rubric: 'Is it kind?' } }],
    })
    const { code, out, err } = await cli.run('eval')
    expect({ code, out, calls: cli.transport.calls }).toEqual({ code: 2, out: '', calls: [] })
    expect(err).toContain('judged has a scorer that asks a judge: name its model with --judge-model')
    expect(err).toContain('Nothing was run.')
  })

  it('to run without a registry', async () => {
    cli.transport.fault({ kind: 'error', error: new RegistryError('UNAVAILABLE', 'nobody there') })
    const { code, out, err } = await cli.run('eval')
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(
      /^error: tone: the registry cannot be asked: .*\nStart a registry with: promptkeep serve/,
    )
  })

  it('to pass when the run cannot be logged', async () => {
    await cli.run('register', 'memory', '--template', 'one', '--alias', 'production')
    const { code, out, err } = await cli.run('eval', '--tracking-uri', 'http://127.0.0.1:1')
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain('error: tone: the run cannot be logged: http://127.0.0.1:1 cannot be reached')
  })
})
