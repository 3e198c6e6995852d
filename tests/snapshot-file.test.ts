import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256, silent } from '@promptkeep/client/protocol'
import { snapshotFile } from '@promptkeep/client/snapshot'
import { createLogRecorder } from '@promptkeep/client/testing'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { snapshotOf } from './support/snapshots.ts'
import { spawnSource } from './support/spawn-source.ts'

let dir: string
let path: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'promptkeep-snapshot-'))
  path = join(dir, 'prompts.snapshot.json')
  return () => rm(dir, { recursive: true, force: true })
})

const small = { prompts: 2, length: 10 }

/** What a reader gets, and what it was warned of. */
async function readBack(file = path) {
  const log = createLogRecorder()
  const snapshot = await snapshotFile(file).read(log.logger)
  return { snapshot, lines: log.lines.map(({ level, event, fields }) => ({ level, event, ...fields })) }
}

describe('a snapshot in a file', () => {
  it('is read as it was written, for its user alone', async () => {
    const snapshot = await snapshotOf(1)
    await snapshotFile(path).write(snapshot)
    expect(await readBack()).toEqual({ snapshot, lines: [] })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(dir)).toEqual(['prompts.snapshot.json'])
  })

  it('keeps settings, and leaves out what is undefined', async () => {
    const plain = await snapshotOf(1, { prompts: 1, length: 1 })
    const [entry] = plain.entries
    if (!entry) throw new Error('no entry')
    const content = {
      template: [{ role: 'user', content: 'Hé\u2028"' }],
      modelConfig: { temperature: 0.1, top_p: 1e-7 },
    }
    const { digestOf } = await import('@promptkeep/client/protocol')
    const version = {
      ...entry.version,
      ...content,
      digest: await digestOf(content),
      responseFormat: undefined,
    }
    await snapshotFile(path).write({ ...plain, entries: [{ ...entry, version } as never] })
    const { snapshot, lines } = await readBack()
    expect(lines).toEqual([])
    expect(snapshot?.entries[0]?.version).toEqual(version)
  })

  it('replaces the one before, and one that anybody could read', async () => {
    await writeFile(path, 'x', { mode: 0o644 })
    await snapshotFile(path).write(await snapshotOf(1, small))
    await snapshotFile(path).write(await snapshotOf(2, small))
    expect((await readBack()).snapshot).toEqual(await snapshotOf(2, small))
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('leaves a link to it a link', async () => {
    const link = join(dir, 'link.json')
    await snapshotFile(path).write(await snapshotOf(1, small))
    await symlink(path, link)
    await snapshotFile(link).write(await snapshotOf(2, small))
    expect((await readBack()).snapshot).toEqual(await snapshotOf(2, small))
  })

  it('never holds the credentials of an address', async () => {
    const snapshot = await snapshotOf(1, small)
    await snapshotFile(path).write({ ...snapshot, address: 'https://ada:s3cret@example.com:8443/base' })
    expect(await readFile(path, 'utf8')).not.toMatch(/s3cret|ada/)
    expect((await readBack()).snapshot?.address).toBe('https://example.com:8443/base')
  })

  it('leaves out the oldest where there are too many', async () => {
    const store = snapshotFile(path, { maxBytes: 3_000 })
    await store.write(await snapshotOf(1, { prompts: 10, length: 300 }))
    const { snapshot } = await readBack()
    const names = snapshot?.entries.map(({ version }) => version.name) ?? []
    expect(names.length).toBeGreaterThan(0)
    expect(names).toEqual(['p07', 'p08', 'p09'].slice(-names.length))
    expect((await stat(path)).size).toBeLessThanOrEqual(3_000)
  })

  it.each([
    { options: { mode: 0o1777 }, want: /mode must be/ },
    { options: { maxBytes: 0 }, want: /maxBytes must be/ },
  ])('refuses options that make no sense: $options', ({ options, want }) => {
    expect(() => snapshotFile('x', options)).toThrow(want)
    expect(() => snapshotFile('')).toThrow(/path must be/)
  })
})

describe('a file that cannot be used', () => {
  it('that is not there is none, without a word', async () => {
    expect(await readBack()).toEqual({ snapshot: undefined, lines: [] })
  })

  const edited = async (edit: (file: Record<string, unknown>) => unknown) => {
    await snapshotFile(path).write(await snapshotOf(1, small))
    await writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, 'utf8')))))
  }
  const signed = (edit: (content: Record<string, unknown>) => unknown) =>
    edited((file) => {
      edit(file.content as Record<string, unknown>)
      return file
    }).then(async () => {
      const file = JSON.parse(await readFile(path, 'utf8'))
      await writeFile(path, JSON.stringify({ ...file, sha256: await sha256(file.content) }))
    })

  it.each<{ rule: string; make: () => Promise<unknown>; want: RegExp }>([
    { rule: 'empty', make: () => writeFile(path, ''), want: /is empty/ },
    { rule: 'no JSON', make: () => writeFile(path, 'hello'), want: /not whole JSON/ },
    { rule: 'no UTF-8', make: () => writeFile(path, new Uint8Array([0xff, 0xfe])), want: /not UTF-8/ },
    { rule: 'foreign', make: () => writeFile(path, '{"prompts":[]}'), want: /no snapshot/ },
    { rule: 'a list', make: () => writeFile(path, '[]'), want: /no snapshot/ },
    {
      rule: 'of a newer format',
      make: () => edited((file) => ({ ...file, version: 2 })),
      want: /its format is 2/,
    },
    {
      rule: 'without a checksum',
      make: () => edited(({ sha256: _, ...rest }) => rest),
      want: /checksum is wrong/,
    },
    {
      rule: 'edited',
      make: () => edited((file) => JSON.parse(JSON.stringify(file).replace('1 é', '2 é'))),
      want: /checksum is wrong/,
    },
    {
      rule: 'of other types',
      make: () => signed((content) => (content.entries = {})),
      want: /not what it holds/,
    },
    {
      rule: 'of odd entries',
      make: () => signed((content) => (content.entries = [1])),
      want: /not what it holds/,
    },
    { rule: 'a folder', make: () => mkdir(path), want: /cannot be read \(EISDIR\)/ },
  ])('is ignored with one WARN: $rule', async ({ make, want }) => {
    await make()
    const { snapshot, lines } = await readBack()
    expect(snapshot).toBeUndefined()
    expect(lines).toEqual([
      { level: 'warn', event: 'snapshot.ignored', where: path, reason: expect.stringMatching(want) },
    ])
  })

  it('is ignored when it is larger than what may be read', async () => {
    await snapshotFile(path).write(await snapshotOf(1, small))
    const log = createLogRecorder()
    expect(await snapshotFile(path, { maxBytes: 50 }).read(log.logger)).toBeUndefined()
    expect(log.of('snapshot.ignored')).toHaveLength(1)
  })

  it('serves no text that was edited, even where the checksum was made anew', async () => {
    await signed((content) => {
      const [first] = content.entries as { version: { template: string } }[]
      if (first) first.version.template = 'edited'
    })
    const { snapshot, lines } = await readBack()
    expect(snapshot?.entries.map(({ version }) => version.name)).toEqual(['p01'])
    expect(lines).toMatchObject([
      { event: 'snapshot.ignored', reason: expect.stringContaining('p00@production') },
    ])
  })

  it('cut off anywhere is never read as another', async () => {
    await snapshotFile(path).write(await snapshotOf(1, { prompts: 1, length: 3 }))
    const whole = await stat(path)
    for (let size = whole.size - 2; size > 0; size -= 7) {
      await truncate(path, size)
      const { snapshot, lines } = await readBack()
      expect({ size, snapshot }).toEqual({ size, snapshot: undefined })
      expect(lines).toHaveLength(1)
    }
  })
})

describe('writing', () => {
  it('that is killed 25 times, in the middle, leaves a whole file each time', {
    timeout: 120_000,
  }, async () => {
    await snapshotFile(path).write(await snapshotOf(0))
    for (let round = 1; round <= 25; round++) {
      const writer = spawnSource('snapshot-writer.ts', [path, String(round * 1_000_000)])
      writer.stderr.resume()
      await once(writer.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, (round * 7) % 40))
      writer.kill('SIGKILL')
      await once(writer, 'exit')
      const { snapshot, lines } = await readBack()
      expect(lines).toEqual([])
      const numbers = new Set(snapshot?.entries.map(({ version }) => version.tags.number))
      expect(numbers.size).toBe(1)
      expect(Number([...numbers][0])).toBeGreaterThanOrEqual(round * 1_000_000)
    }
  })

  it('by four processes at once is never seen torn', { timeout: 60_000 }, async () => {
    const writers = [1, 2, 3, 4].map((n) => spawnSource('snapshot-writer.ts', [path, String(n * 1_000_000)]))
    const ended = writers.map((writer) => once(writer, 'exit'))
    const seen = new Set<string>()
    try {
      await Promise.all(writers.map((writer) => once(writer.stdout, 'data')))
      for (let i = 0; i < 200; i++) {
        const { snapshot, lines } = await readBack()
        expect(lines).toEqual([])
        const numbers = [...new Set(snapshot?.entries.map(({ version }) => version.tags.number))]
        expect(numbers).toHaveLength(1)
        seen.add(numbers[0] as string)
      }
    } finally {
      for (const writer of writers) writer.kill('SIGKILL')
      await Promise.all(ended)
    }
    expect(seen.size).toBeGreaterThan(1)
  })

  it('clears away what killed writers left, and leaves the work of others alone', async () => {
    const old = `${path}.0123456789ab.tmp`
    const young = `${path}.ba9876543210.tmp`
    const foreign = join(dir, 'notes.0123456789ab.tmp')
    for (const file of [old, young, foreign]) await writeFile(file, 'x')
    const hourAgo = new Date(Date.now() - 3_600_000)
    for (const file of [old, foreign]) await utimes(file, hourAgo, hourAgo)
    await snapshotFile(path).write(await snapshotOf(1, small))
    expect((await readdir(dir)).sort()).toEqual(
      [foreign, path, young].map((file) => file.slice(dir.length + 1)).sort(),
    )
  })

  it('into a folder that is not there is an error, and makes nothing', async () => {
    const store = snapshotFile(join(dir, 'missing/x.json'))
    await expect(store.write(await snapshotOf(1, small))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await readdir(dir)).toEqual([])
  })

  it.skipIf(process.getuid?.() === 0)(
    'into a read-only folder is an error, and the old one stays',
    async () => {
      await snapshotFile(path).write(await snapshotOf(1, small))
      await chmod(dir, 0o500)
      onTestFinished(() => chmod(dir, 0o700))
      await expect(snapshotFile(path).write(await snapshotOf(2, small))).rejects.toMatchObject({
        code: 'EACCES',
      })
      expect((await readBack()).snapshot).toEqual(await snapshotOf(1, small))
    },
  )
})

/** A small disk of its own, as only root can make one. */
const smallDisk = mountSkip()
function mountSkip(): string {
  const place = join(tmpdir(), `promptkeep-snapshot-mount-${process.pid}`)
  try {
    execFileSync('mkdir', ['-p', place])
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { stdio: 'ignore' })
    execFileSync('umount', [place])
    return ''
  } catch {
    return '(skipped: this account may not mount a tmpfs)'
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

describe.skipIf(smallDisk)(`the disk ${smallDisk}`.trim(), () => {
  async function disk(size: string) {
    const place = await mkdtemp(join(tmpdir(), 'promptkeep-snapshot-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place])
    onTestFinished(async () => {
      execFileSync('umount', ['-l', place])
      await rm(place, { recursive: true, force: true })
    })
    const remount = (options: string) => execFileSync('mount', ['-o', `remount,${options}`, place])
    return { place, file: join(place, 'prompts.json'), remount }
  }

  it('is full: an error, the old one stays whole, nothing is left behind, and it works once there is room', async () => {
    const { place, file, remount } = await disk('128k')
    const store = snapshotFile(file)
    await store.write(await snapshotOf(1, small))
    await expect(store.write(await snapshotOf(2))).rejects.toMatchObject({ code: 'ENOSPC' })
    expect((await readBack(file)).snapshot).toEqual(await snapshotOf(1, small))
    expect(await readdir(place)).toEqual(['prompts.json'])
    remount('size=4m')
    await store.write(await snapshotOf(2))
    expect(await snapshotFile(file).read(silent)).toEqual(await snapshotOf(2))
  })

  it('is read-only: an error, and the old one is served', async () => {
    const { file, remount } = await disk('1m')
    await snapshotFile(file).write(await snapshotOf(1, small))
    remount('ro')
    await expect(snapshotFile(file).write(await snapshotOf(2, small))).rejects.toMatchObject({
      code: 'EROFS',
    })
    expect(await readBack(file)).toEqual({ snapshot: await snapshotOf(1, small), lines: [] })
  })
})
