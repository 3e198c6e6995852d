async function post(url: string, path: string, body: object): Promise<void> {
  const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
}

const isPrompt = { key: 'mlflow.prompt.is_prompt', value: 'true' }
/** As long as a middling system prompt. */
const text = 'You are a careful assistant. Answer {{ question }} in plain words. '.repeat(30)

/** What MLflow's `model-versions/create` takes for a text prompt. */
export const versionBody = (name: string) => ({
  name,
  source: 'dummy-source',
  tags: [isPrompt, { key: '_mlflow_prompt_type', value: 'text' }, { key: 'mlflow.prompt.text', value: text }],
})

/** Prompts with one version each, which `production` points at: the same on either server, over MLflow's own protocol. */
export async function fill(url: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await post(url, 'registered-models/create', { name, tags: [isPrompt] })
    await addVersion(url, name)
    await post(url, 'registered-models/alias', { name, alias: 'production', version: '1' })
  }
}

export const addVersion = (url: string, name: string): Promise<void> =>
  post(url, 'model-versions/create', versionBody(name))
