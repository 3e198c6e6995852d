import { startFaultServer } from './faults/fault-server.ts'
import { protocols } from './faults/protocols.ts'
import { fill } from './fill.ts'
import { type Best, best, type ClientFigures, type Figures } from './load/figures.ts'
import { type ColdLoads, type Order, TEMPLATE, VALUES, WORKS, type Work } from './load/protocol.ts'
import { aimsOf, loadTable } from './load/table.ts'
import { median } from './median.ts'
import { publish, readOptions } from './report.ts'
import { startMlflow, startOurs } from './servers.ts'
import { python, startWorker, type Worker } from './worker.ts'

/*
 * What clients cost when all is well: `npm run bench -- load [--small]`. Each client stays in a process of its own and
 * they take turns, round by round: what else the machine does meets them alike.
 */

const options = readOptions()
const size = options.small
  ? { prompts: 4, rounds: 4, coldRounds: 2 }
  : { prompts: 100, rounds: 41, coldRounds: 10 }
/** Calls of a round: enough for code that is compiled when it was run often. */
const CALLS: Readonly<Record<Work, number>> = {
  ...{ cachedLoad: 200_000, callAlone: 200_000, mapGet: 200_000, setGet: 200_000 },
  render: 20_000,
}
/** A call of Python's takes a hundred microseconds and more. */
const PYTHONS_SHARE = 0.005
/**
 * In MiB, so that nothing is collected while allocations are counted. In processes of their own: memory that is always new
 * is slow, so who allocates much would look slower than he is.
 */
const COUNTING = ['--max-semi-space-size=256', '--min-semi-space-size=256']

const root = `${import.meta.dirname}/..`
const names = Array.from({ length: size.prompts }, (_, i) => `bench-${i + 2}`)

interface Runner {
  readonly name: keyof Figures
  readonly worker: Worker<Order>
  /** Counts what is allocated; absent where nothing does. */
  readonly counter: Worker<Order> | undefined
  readonly works: readonly Work[]
  readonly isCold: boolean
  readonly share: number
}

/** In turn, so that no two measure at the same time. */
async function inRounds(
  runners: readonly Runner[],
  rounds: number,
  work: (runner: Runner, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) for (const runner of runners) await work(runner, round)
}

async function measure(runners: readonly Runner[]): Promise<Figures> {
  const times = new Map<Runner, Map<Work, number[]>>()
  const sizes = new Map<Runner, Map<Work, number[]>>()
  const colds = new Map<Runner, ColdLoads[]>()
  await inRounds(runners, size.rounds, async (runner) => {
    for (const work of runner.works) {
      const calls = Math.ceil(CALLS[work] * runner.share)
      note(times, runner, work, await runner.worker.ask<number>({ op: 'round', work, calls }))
    }
  })
  await inRounds(
    runners.filter(({ counter }) => counter !== undefined),
    Math.ceil(size.rounds / 3),
    async (runner) => {
      for (const work of runner.works) {
        const calls = Math.ceil(CALLS[work] / 10)
        const bytes = await runner.counter?.ask<number | null>({ op: 'bytes', work, calls })
        if (typeof bytes === 'number') note(sizes, runner, work, bytes)
      }
    },
  )
  const each = Math.ceil(names.length / size.coldRounds)
  const cold = runners.filter(({ isCold }) => isCold)
  await inRounds(cold, size.coldRounds, async (runner, round) => {
    const some = names.slice(round * each, (round + 1) * each)
    const seen = await runner.worker.ask<ColdLoads>({ op: 'cold', names: some })
    colds.set(runner, [...(colds.get(runner) ?? []), seen])
  })
  const figures = runners.map((runner): [keyof Figures, ClientFigures] => {
    const seen = colds.get(runner)
    return [
      runner.name,
      {
        ns: all(times.get(runner), best),
        bytes: all(sizes.get(runner), median),
        ...(seen && {
          coldMs: best(seen.flatMap(({ ms }) => ms)),
          coldRequests: seen.reduce((sum, { requests }) => sum + requests, 0) / names.length,
        }),
      },
    ]
  })
  return Object.fromEntries(figures) as unknown as Figures
}

function note(where: Map<Runner, Map<Work, number[]>>, runner: Runner, work: Work, value: number): void {
  const of = where.get(runner) ?? new Map<Work, number[]>()
  where.set(runner, of)
  of.set(work, [...(of.get(work) ?? []), value])
}

const all = <T extends number | Best>(
  of: ReadonlyMap<Work, readonly number[]> = new Map(),
  what: (values: readonly number[]) => T,
): Partial<Record<Work, T>> =>
  Object.fromEntries([...of].map(([work, values]) => [work, what(values)])) as Partial<Record<Work, T>>

const stops: (() => Promise<unknown>)[] = []
try {
  const standIn = await startFaultServer(protocols.promptkeep)
  const langfuses = await startFaultServer(protocols.langfuse)
  stops.push(standIn.stop, langfuses.stop)
  const [ours, mlflow] = [await startOurs(root), python === undefined ? undefined : await startMlflow(root)]
  stops.push(ours.stop, async () => mlflow?.stop())
  for (const server of [ours, mlflow]) if (server) await fill(server.url, ['bench-0', 'bench-1', ...names])

  const runners: Runner[] = []
  const add = async (
    name: keyof Figures,
    file: string,
    job: object,
    works: readonly Work[],
    isCold = true,
  ) => {
    const start = async (flags: readonly string[]) => {
      const worker = await startWorker<Order>(file, [JSON.stringify(job)], flags)
      stops.push(worker.stop)
      return worker
    }
    const isPython = file.endsWith('.py')
    runners.push({
      ...{ name, works, isCold, share: isPython ? PYTHONS_SHARE : 1 },
      worker: await start([]),
      counter: isPython || works.length === 0 ? undefined : await start(COUNTING),
    })
  }
  await add('ours', 'load/ours.ts', { url: standIn.url }, WORKS)
  await add('oursReal', 'load/ours.ts', { url: ours.url }, [])
  await add('langfuse', 'load/langfuse.ts', { url: langfuses.url }, ['cachedLoad', 'callAlone', 'render'])
  await add('mustache', 'load/mustache.ts', {}, ['render'], false)
  if (mlflow) {
    const job = { url: mlflow.url, template: TEMPLATE, values: VALUES }
    await add('mlflow', 'load/mlflow_client.py', job, ['cachedLoad', 'render'])
  }
  const figures = await measure(runners)
  const text = `${loadTable(figures)}\n\n${aimsOf(figures)}`
  await publish(options, { title: 'What clients cost when all is well', text, figures })
} finally {
  for (const stop of stops.reverse()) await stop()
}
