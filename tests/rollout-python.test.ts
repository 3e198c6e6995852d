import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { chooseVersion, type Weights } from '../packages/client/src/rollout.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const docs = readFileSync(here('../docs/rollouts.md'), 'utf8')
/** The page's own code: what is shown is what is run. */
const [, code = ''] = /```python\n([\s\S]*?)```/.exec(docs) ?? []

const skip = whyNoPython()

function whyNoPython(): string {
  const { error, status } = spawnSync('python3', ['--version'])
  if (!error && status === 0) return ''
  return `(skipped: no python3 here: ${error?.message ?? `exit ${status}`})`
}

/** Runs the page's code, then `script`. @returns what that printed, as JSON */
function python<T>(script: string, args: readonly string[], input: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'python3',
      ['-I', '-c', `import json, sys\n${code}\n${script}`, ...args],
      { maxBuffer: 64 * 2 ** 20, timeout: 120_000, env: { ...process.env, PYTHONIOENCODING: 'utf-8' } },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`python3 failed:\n${stderr}`))
        else resolve(JSON.parse(stdout) as T)
      },
    )
    child.stdin?.on('error', () => undefined) // it ended before it read: the callback above says why
    child.stdin?.end(input)
  })
}

it.skipIf(skip)(
  `the Python of docs/rollouts.md gives every vector ${skip}`.trim(),
  async () => {
    const wrong = await python<object>(
      `
vectors = json.load(open(sys.argv[1]))
hashes = [row for row in vectors["murmur3"] if murmur3(bytes.fromhex(row["hex"]), row["seed"]) != row["hash"]]
versions = [
    row
    for row in vectors["versions"]
    if choose_version({int(v): w for v, w in row[2].items()}, row[1], row[0]) != row[3]
]
print(json.dumps({"hashes": hashes, "versions": versions, "count": len(vectors["versions"])}))
`,
      [here('vectors/rollout.json')],
      '',
    )
    expect(wrong).toEqual({ hashes: [], versions: [], count: 2000 })
  },
  130_000,
)

it.skipIf(skip)(
  `and for other keys what TypeScript gives, also for halves of surrogate pairs ${skip}`.trim(),
  async () => {
    const keys = Array.from({ length: 5000 }, (_, i) =>
      i % 4 === 0 ? `${String.fromCharCode(0xd800 + (i % 2048))}${i}` : `user-${i}`,
    )
    const weights: Weights = new Map([
      [3, 0],
      [5, 60],
      [6, 29.99],
      [70, 10.01],
    ])
    const chosen = await python<number[]>(
      `
asked = json.load(sys.stdin)
weights = {int(v): w for v, w in asked["weights"]}
print(json.dumps([choose_version(weights, key, "tone@production") for key in asked["keys"]]))
`,
      [],
      JSON.stringify({ keys, weights: [...weights] }),
    )
    expect(chosen).toEqual(keys.map((key) => chooseVersion(weights, key, 'tone@production')))
  },
  130_000,
)
