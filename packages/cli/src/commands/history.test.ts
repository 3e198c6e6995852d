import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { startRegistry } from '../../../../tests/support/registry.ts'
import { asking, createTestCli, type TestCli } from '../test-io.ts'

let cli: TestCli

/** `memory` at v2 and `greet` at v1, in eight changes; the last two by nobody's hurry but in this order. */
beforeEach(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-cli-'))
  const server = await startRegistry()
  cli = createTestCli(dir).with(asking(server.url))
  await cli.run('register', 'memory', '--template', 'one', '--message', 'first', '--alias', 'production')
  await cli.run('register', 'greet', '--template', 'hi', '--alias', 'production')
  await cli.run('register', 'memory', '--template', 'two', '--alias', 'experiment')
  await cli.run('alias', 'memory', 'production', '2', '--reason', 'it won')
  return async () => {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

/** The numbers of the rows of a listing. */
const numbers = ({ out }: { readonly out: string }) =>
  [...out.matchAll(/^#(\d+) /gm)].map((row) => Number(row[1]))

describe('history of all prompts', () => {
  it('names the prompt of each change, newest first', async () => {
    const { code, out, err } = await cli.run('history')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(numbers({ out })).toEqual([7, 6, 5, 4, 3, 2, 1])
    expect(out.split('\n')[0]).toMatch(
      /^#7 +\d{4}-.* UTC +memory +alias\.moved +production v1 -> v2 +anonymous +it won$/,
    )
    expect(out).toMatch(/#3 .* greet +version\.registered +v1 +anonymous\n/)
    const json = JSON.parse((await cli.run('history', '--json')).out)
    expect(Object.keys(json)).toEqual(['complete', 'changes'])
    expect(json.changes[0]).toMatchObject({ seq: 7, prompt: 'memory', reason: 'it won' })
  })

  it.each([
    { flags: ['--kind', 'version.registered'], want: [5, 3, 1], greet: [3] },
    { flags: ['--kind', 'alias'], want: [7, 6, 4, 2], greet: [4] },
    { flags: ['--kind', 'alias', '--alias', 'experiment'], want: [6], greet: [] },
    { flags: ['--alias', 'production'], want: [7, 4, 2], greet: [4] },
    { flags: ['--actor', 'anonymous', '--limit', '1'], want: [7], greet: [4] },
    { flags: ['--since', '1h', '--kind', 'version.registered'], want: [5, 3, 1], greet: [3] },
    { flags: ['--until', '1h'], want: [], greet: [] },
    { flags: ['--actor', 'ada'], want: [], greet: [] },
  ])('is filtered by $flags', async ({ flags, want, greet }) => {
    const listed = await cli.run('history', ...flags)
    expect(listed.code).toBe(0)
    expect(numbers(listed)).toEqual(want)
    if (want.length === 0) expect(listed.err).toBe('No such change is recorded.\n')
    expect(numbers(await cli.run('history', 'greet', ...flags))).toEqual(greet)
  })

  it('goes on where the page before ended, with the same filters', async () => {
    const first = await cli.run('history', '--kind', 'alias', '--since', '2h', '--limit', '3')
    expect(numbers(first)).toEqual([7, 6, 4])
    const [, more = ''] = /^More: promptkeep (.*)\n$/.exec(first.err) ?? []
    expect(more).toMatch(
      /^history --kind alias\.moved,alias\.removed --since \d{4}-\S+Z --limit 3 --page-token \S+$/,
    )
    expect(numbers(await cli.run(...more.split(' ')))).toEqual([2])
  })

  it('marks what a rollback restored', async () => {
    await cli.run('rollback', 'memory', '--reason', 'longer answers')
    const { out } = await cli.run('history', 'memory', '--limit', '1')
    expect(out).toMatch(
      /^#8 .* alias\.moved +production v2 -> v1 \(restores #2\) +anonymous +longer answers\n$/,
    )
  })

  it.each([
    { args: ['--kind', 'alias.mvoed'], want: 'Did you mean alias.moved?' },
    { args: ['--kind', 'moves'], want: 'version.registered, alias.moved' },
    { args: ['--since', 'yesterday'], want: '--since must be a time: 2h or 3d ago' },
    { args: ['--follow', '--until', '1h'], want: 'cannot be given together with --until' },
    { args: ['memroy'], want: 'Did you mean memory?' },
    { args: ['memroy', '--kind', 'alias'], want: 'Did you mean memory?' },
  ])('refuses $args', async ({ args, want }) => {
    const { code, out, err } = await cli.run('history', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(want)
  })
})

describe('history --follow', () => {
  /** Runs it until `count` rows were printed. */
  async function follow(count: number, meanwhile: () => Promise<unknown>, ...args: string[]) {
    let stop: (signal: NodeJS.Signals) => void = () => {}
    const stopped = new Promise<NodeJS.Signals>((resolve) => {
      stop = resolve
    })
    const rows: string[] = []
    let begun = false
    const watching = cli.with({ untilStopped: () => stopped })
    const outcome = watching.watch(
      (text) => {
        rows.push(text)
        if (rows.length === count) stop('SIGINT')
        if (!begun) void meanwhile()
        begun = true
      },
      'history',
      ...args,
      '--follow',
    )
    return { ...(await outcome), rows }
  }

  it('prints the last changes, then each new one, and ends at Ctrl-C', async () => {
    const change = async () => {
      await cli.run('alias', 'memory', 'production', '1', '--reason', 'back')
      await cli.run('alias', 'greet', 'experiment', '1')
    }
    const { code, rows, err } = await follow(4, change, '--limit', '2')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(rows.map((row) => Number(/^#(\d+) /.exec(row)?.[1]))).toEqual([6, 7, 8, 9])
    expect(rows[2]).toMatch(/memory +alias\.moved +production v2 -> v1 +anonymous +back\n$/)
  })

  it('prints what is asked for only, as JSON one a line', async () => {
    const change = async () => {
      await cli.run('alias', 'memory', 'production', '1')
      await cli.run('alias', 'greet', 'experiment', '1')
      await cli.run('alias', 'memory', 'experiment', '1')
    }
    const { rows } = await follow(2, change, 'memory', '--alias', 'experiment', '--json')
    expect(rows.map((row) => JSON.parse(row))).toMatchObject([
      { seq: 6, alias: 'experiment', to: 2 },
      { seq: 10, alias: 'experiment', to: 1, at: expect.stringMatching(/Z$/) },
    ])
  })
})
