import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { median } from './median.ts'
import { publish, readOptions } from './report.ts'

/*
 * What running a case costs beside the target and the scorers: ours, and a Vitest file of as many tests, which is what
 * evalite and vitest-evals run.
 */

const options = readOptions()
const CASES = options.small ? 500 : 10_000
const ROUNDS = options.small ? 1 : 5
const root = join(import.meta.dirname, '..')
const execute = promisify(execFile)

interface Ours {
  readonly ms: number
  readonly samples: readonly { readonly done: number; readonly bytes: number }[]
}

async function runOurs(): Promise<Ours> {
  const command = ['--expose-gc', '--import', 'tsx', 'bench/evals/ours.ts', String(CASES)]
  const { stdout } = await execute(process.execPath, command, { cwd: root })
  return JSON.parse(stdout) as Ours
}

/** The same cases as tests: an answer, and two looks at it. From the first test's begin to the last one's end. */
async function runVitest(): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-bench-vitest-'))
  try {
    await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
    await writeFile(
      join(dir, 'cases.test.mjs'),
      `import { expect, it } from 'vitest'
const answer = 'A calm, clear answer in two sentences. It names the thing that was asked for, and stops there. '
const cases = Array.from({ length: ${CASES} }, (_, i) => ({ id: 'case-' + i, input: 'Question ' + i + '?' }))
const ask = async () => ({ output: answer })
it.concurrent.each(cases)('$id', async ({ input }) => {
  const { output } = await ask(input)
  expect(output).toContain('asked for')
  expect(output.split(/\\s+/).length).toBeLessThanOrEqual(40)
})
`,
    )
    const json = join(dir, 'report.json')
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
    const args = [
      vitest,
      'run',
      '--root',
      dir,
      '--maxConcurrency=4',
      '--reporter=json',
      `--outputFile=${json}`,
    ]
    await execute(process.execPath, args, { cwd: dir, maxBuffer: 64 * 2 ** 20 })
    const report = JSON.parse(await readFile(json, 'utf8')) as {
      readonly numPassedTests: number
      readonly testResults: readonly { readonly startTime: number; readonly endTime: number }[]
    }
    if (report.numPassedTests !== CASES) throw new Error(`Vitest ran ${report.numPassedTests} of ${CASES}`)
    const [file] = report.testResults
    return (file?.endTime ?? 0) - (file?.startTime ?? 0)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

const ours: Ours[] = []
const vitest: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  ours.push(await runOurs())
  vitest.push(await runVitest())
}

const each = (ms: number) => ms / CASES
const oursMs = each(median(ours.map(({ ms }) => ms)))
const vitestMs = each(median(vitest))
const samples = ours[0]?.samples ?? []
const half = samples[Math.floor(samples.length / 2) - 1]
const last = samples.at(-1)
const bytesPerCase = half && last ? (last.bytes - half.bytes) / (last.done - half.done) : 0

const text = `${CASES} cases, a target that answers at once, two scorers, four at a time; ours writes each to its journal. Medians of ${ROUNDS}.

| | ours | a Vitest file | ours is better by |
|---|--:|--:|--:|
| overhead of a case, ms | ${oursMs.toFixed(3)} | ${vitestMs.toFixed(3)} | ${(vitestMs / oursMs).toFixed(2)}× |

| cases done | heap beside the start, MiB |
|--:|--:|
${samples.map(({ done, bytes }) => `| ${done} | ${(bytes / 2 ** 20).toFixed(1)} |`).join('\n')}

What a case leaves is its result, which the report shows: ${Math.round(bytesPerCase)} bytes each in the second half, for an answer of 95
characters. Nothing else stays.

| aim | measured | reached |
|---|--:|---|
| overhead of a case < 1 ms | ${oursMs.toFixed(3)} ms | ${oursMs < 1 ? 'yes' : 'no'} |`

await publish(options, {
  title: 'What running evals costs',
  text,
  figures: { cases: CASES, oursMs, vitestMs, bytesPerCase, samples },
})
