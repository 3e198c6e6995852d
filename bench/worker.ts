import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { MARK } from './worker-side.ts'

/** A process that a client is measured in. It takes one order at a time. */
export interface Worker<Order> {
  /** @param capMs - no limit when absent @throws {TooLong} */
  ask<T>(order: Order, capMs?: number): Promise<T>
  stop(): Promise<void>
}

/** The bench waits no longer for an answer. */
export class TooLong extends Error {}

const root = join(import.meta.dirname, '..')
/** The Python that has `mlflow`; `undefined` where there is none. */
export const python = [process.env.MLFLOW_PYTHON, join(root, '.cache/mlflow/bin/python')].find(
  (path) => path !== undefined && existsSync(path),
)

/** Runs a `.ts` or `.py` file of this folder; resolves when it is ready. */
export async function startWorker<Order>(
  file: string,
  args: readonly string[],
  nodeFlags: readonly string[] = [],
): Promise<Worker<Order>> {
  const path = join(import.meta.dirname, file)
  const [command, flags] = file.endsWith('.py')
    ? [python ?? 'python3', []]
    : [process.execPath, [...nodeFlags, '--expose-gc', '--import', 'tsx']]
  const child = spawn(command, [...flags, path, ...args], {
    cwd: root,
    env: { ...process.env, MLFLOW_DISABLE_TELEMETRY: 'true', LANGSMITH_TRACING: 'false' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-2_000)
  })
  child.stdin.on('error', () => {}) // it ended: `exit` says so
  const lines = createInterface({ input: child.stdout })
  let settle: { resolve(answer: unknown): void; reject(error: Error): void } | undefined
  lines.on('line', (line) => {
    if (line.startsWith(MARK)) settle?.resolve(JSON.parse(line.slice(MARK.length)))
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  gone.then(() => settle?.reject(new Error(`${file} ${args[0]} ended: ${errors}`)))

  function answer(capMs: number | undefined): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined
    return new Promise<unknown>((resolve, reject) => {
      settle = { resolve, reject }
      if (capMs !== undefined) timer = setTimeout(() => reject(new TooLong()), capMs)
    }).finally(() => clearTimeout(timer))
  }

  await answer(undefined)
  return {
    ask<T>(order: Order, capMs?: number) {
      const said = answer(capMs)
      child.stdin.write(`${JSON.stringify(order)}\n`)
      return said as Promise<T>
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await gone
      lines.close()
    },
  }
}
