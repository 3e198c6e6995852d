/** What a request asks for. */
export interface Asked {
  readonly method: string
  readonly url: URL
  readonly body: unknown
}

/** What a registry says of a prompt; without a text there is no such prompt. */
export interface Said {
  readonly name: string
  readonly version: number
  readonly text: string | undefined
}

export interface Reply {
  readonly status: number
  readonly body: unknown
}

/** One service's side of the wire, as far as a client that loads a prompt by its alias, label or tag sees it. */
export interface Protocol {
  /** The prompt that is asked for; `undefined` when the request is about none. */
  nameIn(asked: Asked): string | undefined
  answer(asked: Asked, said: Said): Reply
}

const found = (body: unknown): Reply => ({ status: 200, body })
const AT = 1_760_000_000_000
const DATE = new Date(AT).toISOString()

/** MLflow's REST: what Python's client and ours ask. */
const mlflow: Protocol = {
  nameIn({ url, body }) {
    const { name } = (body ?? {}) as { name?: string }
    return url.searchParams.get('name') ?? name
  },
  answer({ method, url }, { name, version, text }) {
    const path = url.pathname.split('/mlflow/')[1] ?? url.pathname
    if (path === '/version') return found('3.17.2')
    // Python's client notes on the prompt which experiments use it; ours asks what the server can do.
    if (method !== 'GET') return found({})
    if (path.startsWith('/api/promptkeep')) return { status: 404, body: { detail: 'Not Found' } }
    if (text === undefined) {
      const message = `Registered Model with name=${name} not found`
      return { status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message } }
    }
    const isPrompt = { key: 'mlflow.prompt.is_prompt', value: 'true' }
    const times = { creation_timestamp: AT, last_updated_timestamp: AT }
    if (path === 'registered-models/get') {
      const aliases = [{ alias: 'production', version: String(version) }]
      return found({ registered_model: { name, ...times, tags: [isPrompt], aliases } })
    }
    const tags = [
      isPrompt,
      { key: '_mlflow_prompt_type', value: 'text' },
      { key: 'mlflow.prompt.text', value: text },
    ]
    const more = { current_stage: 'None', source: 'dummy-source', status: 'READY', aliases: ['production'] }
    return found({ model_version: { name, version: String(version), ...times, ...more, tags } })
  },
}

const lastPart = ({ url }: Asked) => decodeURIComponent(url.pathname.split('/').at(-1) ?? '')
const partAfter = ({ url }: Asked, before: string) => {
  const parts = url.pathname.split('/')
  return decodeURIComponent(parts[parts.indexOf(before) + 1] ?? '')
}

/** `GET /api/public/v2/prompts/<name>` */
const langfuse: Protocol = {
  nameIn: lastPart,
  answer: (_, { name, version, text }) =>
    text === undefined
      ? { status: 404, body: { error: 'LangfuseNotFoundError', message: `Prompt not found: '${name}'` } }
      : found({
          ...{ name, version, type: 'text', prompt: text, config: {}, labels: ['production'], tags: [] },
          ...{ id: `${name}-${version}`, createdAt: DATE, updatedAt: DATE, commitMessage: null },
        }),
}

/** `GET /commits/-/<name>/<tag>` */
const langsmith: Protocol = {
  nameIn: (asked) => partAfter(asked, '-'),
  answer: (_, { name, version, text }) =>
    text === undefined
      ? { status: 404, body: { detail: 'Commit not found' } }
      : found({
          commit_hash: String(version).padStart(64, '0'),
          manifest: {
            lc: 1,
            type: 'constructor',
            id: ['langchain', 'prompts', 'prompt', 'PromptTemplate'],
            kwargs: { name, template: text, template_format: 'mustache', input_variables: [] },
          },
          examples: [],
        }),
}

/** `GET /v1/prompts/<name>/tags/<tag>` */
const phoenix: Protocol = {
  nameIn: (asked) => partAfter(asked, 'prompts'),
  answer: (_, { name, version, text }) =>
    text === undefined
      ? { status: 404, body: { detail: 'Prompt not found' } }
      : found({
          data: {
            id: `${name}-${version}`,
            ...{ description: null, model_provider: 'OPENAI', model_name: 'gpt-4o' },
            ...{ template_type: 'CHAT', template_format: 'MUSTACHE' },
            template: { type: 'chat', messages: [{ role: 'system', content: text }] },
            invocation_parameters: { type: 'openai', openai: {} },
          },
        }),
}

/** By the client that speaks it. */
export const protocols = { promptkeep: mlflow, langfuse, mlflow, langsmith, phoenix } as const
export type ClientName = keyof typeof protocols
