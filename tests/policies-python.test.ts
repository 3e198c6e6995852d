import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from './support/ask.ts'
import { mlflowSkip } from './support/mlflow.ts'
import { runPython } from './support/python.ts'
import { PYTHON_MS } from './support/python-client.ts'
import { bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

describe.skipIf(mlflowSkip)(`the Python client and a guarded alias ${mlflowSkip}`, () => {
  let registry: TokenRegistry
  beforeAll(async () => {
    registry = await startTokenRegistry()
  })
  afterAll(() => registry?.stop())

  const python = <T>(token: string, script: string) =>
    runPython<T>(
      `import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
client = MlflowClient()
${script}`,
      { MLFLOW_TRACKING_URI: registry.url, MLFLOW_TRACKING_TOKEN: token },
      { timeoutMs: PYTHON_MS },
    )

  it(
    'shows why a move is refused, and moves with evidence that Python logged',
    async () => {
      const { writer, evaluator, promoter, admin } = registry.tokens
      const digests = await python<string[]>(
        writer,
        `
versions = [mlflow.genai.register_prompt("memory", text) for text in ("one", "two")]
mlflow.genai.set_prompt_alias("memory", "production", 1)
import hashlib
answer([hashlib.sha256(('{"template":"%s"}' % v.template).encode()).hexdigest() for v in versions])
`,
      )
      const policy = { alias: 'production', roles: ['promoter'], evidence_required: true }
      const headers = { 'content-type': 'application/json', ...bearer(admin) }
      const path = '/api/promptkeep/1.0/policies'
      const set = await ask(registry.url, { method: 'POST', path, body: JSON.stringify(policy), headers })
      expect(set.status).toBe(200)

      const refusals = (token: string) =>
        python<{ code: string; message: string; text: string }[]>(
          token,
          `
def refusal(call):
    try:
        call()
    except MlflowException as e:
        return {"code": e.error_code, "message": e.message, "text": str(e)}
answer([refusal(call) for call in (
    lambda: mlflow.genai.set_prompt_alias("memory", "production", 2),
    lambda: mlflow.genai.delete_prompt_alias("memory", "production"),
)])
`,
        )
      for (const refusal of await refusals(promoter)) {
        expect(refusal).toMatchObject({ code: 'PERMISSION_DENIED' })
        expect(refusal.text).toContain('clause "evidence"')
        expect(refusal.text).toContain('The alias production of memory was not')
      }
      const [move] = await refusals(writer)
      expect(move?.message).toContain(
        'clause "role". Found: writer has writer. Needed: a token with promoter',
      )

      const [baseline = '', candidate = ''] = await python<string[]>(
        evaluator,
        `
def judge(version, digest):
    with mlflow.start_run() as run:
        mlflow.log_params({"suite": "tone", "dataset_digest": "d1",
            "prompt.memory": f"v{version}", "prompt_digest.memory": digest})
        mlflow.set_tag("promptkeep.verdict", "pass")
    return run.info.run_id
answer([judge(n + 1, digest) for n, digest in enumerate(${JSON.stringify(digests)})])
`,
      )
      const moved = (evidence: string) =>
        ask(registry.url, {
          method: 'POST',
          path: '/api/2.0/mlflow/registered-models/alias',
          body: JSON.stringify({ name: 'memory', alias: 'production', version: '2' }),
          headers: { ...headers, ...bearer(promoter), 'Promptkeep-Evidence': evidence },
        })
      expect(await moved(baseline)).toMatchObject({ status: 403, body: { error_code: 'PERMISSION_DENIED' } })
      expect(await moved(candidate)).toMatchObject({ status: 200 })
    },
    4 * PYTHON_MS,
  )
})
