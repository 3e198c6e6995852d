// `npm start`: registry server and assistant, set up, seeded and stopped together.
import { spawn } from 'node:child_process'
import { accessSync, constants, createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ensureReady, fail, root } from './setup.mjs'

ensureReady()

const data = join(root, '.promptkeep')
try {
  mkdirSync(data, { recursive: true })
  accessSync(data, constants.W_OK | constants.X_OK)
} catch (error) {
  fail(`The folder for data and logs, ${data}, must be a folder that this user can write (${error.code}).`)
}

const children = []
let stopping = false

/** Ends the assistant before the registry it asks, then leaves with `code`. */
async function stop(code) {
  if (stopping) return
  stopping = true
  for (const child of children.toReversed()) {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await gone
    }
  }
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(0))

/**
 * Starts one of the two. Its JSON log (stdout) goes to a file, its words for people (stderr) to the terminal;
 * resolves with the URL on which it listens. A group of its own: Ctrl-C reaches it through us, once. The `ipc` channel
 * carries nothing: it closes when we are gone, however that came about, and the two then stop by themselves.
 */
function launch(name, command, env) {
  const child = spawn(process.execPath, command, {
    cwd: root,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  children.push(child)
  const log = createWriteStream(join(data, `${name}.log`), { flags: 'a' })
  log.on('error', (error) => {
    process.stderr.write(`The log ${log.path} cannot be written: ${error.message}\n`)
    void stop(2)
  })
  child.stdout.pipe(log)
  return new Promise((resolve) => {
    let text = ''
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      process.stderr.write(chunk)
      text += chunk
      const url = /listening on (http:\/\/\S+)/.exec(text)?.[1]
      if (url) resolve(url)
    })
    child.once('exit', (code, signal) => {
      if (stopping) return
      if (code === null || code === 0) process.stderr.write(`The ${name} ended (${signal ?? 'exit 0'}).\n`)
      void stop(code || 1)
    })
  })
}

const external = process.env.MLFLOW_TRACKING_URI?.trim()
const registry = external || (await launch('registry', ['packages/cli/bin/promptkeep.js', 'serve']))
const assistant = await launch('assistant', ['apps/assistant/dist/main.js'], {
  MLFLOW_TRACKING_URI: registry,
})

const where = registry === 'http://127.0.0.1:5055' ? '' : ` --tracking-uri ${registry}`
process.stdout.write(`
Registry   ${registry}${external ? '  (MLFLOW_TRACKING_URI; not started here)' : ''}
Assistant  ${assistant}

Three things to try
  1. Open ${assistant} and say: remember that my tea is Earl Grey
     then ask: what do you know about my tea?
  2. Edit the line "Tone: …" in apps/assistant/prompts/orchestrator-base.md, then
       npx promptkeep status apps/assistant/prompts${where}
       npx promptkeep push apps/assistant/prompts --alias production --message "a warmer tone"${where}
     and say hello again: the next answer is from the new text, without a restart.
  3. See what changed, and take it back, in the registry and in the file:
       npx promptkeep history orchestrator-base${where}
       npx promptkeep alias orchestrator-base production 1 --reason "the old tone was better"${where}
       npx promptkeep pull apps/assistant/prompts --only orchestrator-base${where}

Logs are in .promptkeep/*.log. Ctrl-C stops both.
`)
