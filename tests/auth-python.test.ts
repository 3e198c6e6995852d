import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mlflowSkip } from './support/mlflow.ts'
import { runPython } from './support/python.ts'
import { PYTHON_MS } from './support/python-client.ts'
import { startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

/** What one user sees of it: the prompt that is there, and what becomes of a move, a new version and a run. */
const USE = `
def said(call):
    try:
        call()
        return "ok"
    except MlflowException as e:
        return f"{e.error_code}: {e.message}"

def log_a_run():
    run = client.create_run("0")
    client.log_param(run.info.run_id, "k", "v")

answer({
    "loads": said(lambda: mlflow.genai.load_prompt("prompts:/memory@production", cache_ttl_seconds=0)),
    "registers": said(lambda: mlflow.genai.register_prompt("memory", "by Python")),
    "moves": said(lambda: mlflow.genai.set_prompt_alias("memory", "production", 1)),
    "runs": said(log_a_run),
})
`
const HEAD = `
import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
client = MlflowClient()
`

interface Seen {
  readonly loads: string
  readonly registers: string
  readonly moves: string
  readonly runs: string
}

describe.skipIf(mlflowSkip)(`the Python client and tokens ${mlflowSkip}`, () => {
  let server: TokenRegistry
  beforeAll(async () => {
    server = await startTokenRegistry()
    await use(
      { MLFLOW_TRACKING_TOKEN: server.tokens.writer },
      `mlflow.genai.register_prompt("memory", "first")
mlflow.genai.set_prompt_alias("memory", "production", 1)
answer({})`,
    )
  }, PYTHON_MS)
  afterAll(() => server?.stop())

  const use = <T = Seen>(env: Record<string, string>, script = USE) =>
    runPython<T>(HEAD + script, { MLFLOW_TRACKING_URI: server.url, ...env }, { timeoutMs: PYTHON_MS })
  const denied = (allowed: string) =>
    expect.stringMatching(new RegExp(`^PERMISSION_DENIED: .*needs the role ${allowed}`))

  it('sends MLFLOW_TRACKING_TOKEN, and may what its role may', { timeout: PYTHON_MS }, async () => {
    expect(await use({ MLFLOW_TRACKING_TOKEN: server.tokens.writer })).toEqual({
      loads: 'ok',
      registers: 'ok',
      moves: 'ok',
      runs: denied('evaluator or admin'),
    })
  })
  it('sends MLFLOW_TRACKING_USERNAME and _PASSWORD alike', { timeout: PYTHON_MS }, async () => {
    const as = (token: string) => ({ MLFLOW_TRACKING_USERNAME: 'me', MLFLOW_TRACKING_PASSWORD: token })
    expect(await use(as(server.tokens.evaluator))).toEqual({
      loads: 'ok',
      registers: denied('writer or admin'),
      moves: denied('writer, promoter or admin'),
      runs: 'ok',
    })
  })
  it('sends what stands in the address', { timeout: PYTHON_MS }, async () => {
    const address = server.url.replace('://', `://me:${server.tokens.promoter}@`)
    expect(await use({ MLFLOW_TRACKING_URI: address })).toMatchObject({
      loads: 'ok',
      registers: denied('writer or admin'),
      moves: 'ok',
    })
  })
  it('shows the text of what is refused: no token, a wrong one, one that was revoked', {
    timeout: PYTHON_MS,
  }, async () => {
    const load = `
try:
    mlflow.genai.load_prompt("prompts:/memory@production", cache_ttl_seconds=0)
    answer("ok")
except Exception as e:
    answer(str(e))
`
    const [none, wrong, revoked] = await Promise.all([
      use<string>({}, load),
      use<string>({ MLFLOW_TRACKING_TOKEN: 'nonsense' }, load),
      use<string>({ MLFLOW_TRACKING_TOKEN: server.revoked }, load),
    ])
    expect(none).toContain('needs a valid token')
    expect(wrong).toContain('needs a valid token')
    expect(revoked).toContain('The token revoked was revoked at')
  })
  it('made changes whose actor is the token', { timeout: PYTHON_MS }, async () => {
    const answer = await fetch(`${server.url}/api/promptkeep/1.0/changes?prompt=memory`, {
      headers: { authorization: `Bearer ${server.tokens.reader}` },
    })
    const { changes } = (await answer.json()) as { changes: { kind: string; actor: string }[] }
    const actors = new Set(changes.map(({ actor }) => actor))
    expect([...actors].sort()).toEqual(['promoter', 'writer'])
  })
})
