/** @param {string} id */
export const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id))

/**
 * Everything that is shown goes through here, and only ever as text: an answer is never markup.
 * @param {string} tag
 * @param {{ class?: string, text?: string, title?: string, type?: string }} [given]
 * @param {...(Node | string)} children
 */
export function element(tag, given = {}, ...children) {
  const node = document.createElement(tag)
  if (given.class) node.className = given.class
  if (given.text !== undefined) node.textContent = given.text
  if (given.title) node.title = given.title
  if (given.type) node.setAttribute('type', given.type)
  node.append(...children)
  return node
}

/** @param {string} text */
export const userMessage = (text) =>
  element(
    'article',
    { class: 'message user' },
    element('h2', { class: 'unseen', text: 'You' }),
    element('p', { class: 'text', text }),
  )

/** An answer that grows while it is streamed. */
export function answerMessage() {
  const text = element('p', { class: 'text' })
  const tools = element('ul', { class: 'tools' })
  const foot = element('footer')
  const node = element(
    'article',
    { class: 'message answer' },
    element('h2', { class: 'unseen', text: 'Assistant' }),
    tools,
    text,
    foot,
  )
  const waiting = element('p', { class: 'waiting', text: 'Thinking' })
  /** @type {Map<number, HTMLElement>} */
  const calls = new Map()
  return {
    node,
    /** @param {boolean} isBusy */
    busy(isBusy) {
      node.setAttribute('aria-busy', String(isBusy))
      if (isBusy) node.append(waiting)
      else waiting.remove()
    },
    /** Nothing more will be heard of a step that has not ended. */
    settle() {
      for (const line of calls.values()) {
        if (!line.classList.contains('running')) continue
        line.className = 'failed'
        const state = line.querySelector('.unseen')
        if (state) state.textContent = ': not finished'
      }
    },
    /** @param {string} more */
    say(more) {
      waiting.remove()
      text.append(more)
    },
    /** @param {{ id: number, agent: string, tool: string, status: string, ok?: boolean }} call */
    tool(call) {
      let line = calls.get(call.id)
      if (!line) {
        line = element('li')
        calls.set(call.id, line)
        tools.append(line)
      }
      line.className = call.status === 'started' ? 'running' : call.ok ? 'ok' : 'failed'
      const state = call.status === 'started' ? 'running' : call.ok ? 'done' : 'failed'
      line.replaceChildren(
        toolText(call.agent, call.tool),
        element('span', { class: 'unseen', text: `: ${state}` }),
      )
    },
    /** @param {{ prompts?: object, model?: string, is_demo?: boolean }} evidence */
    evidence(evidence) {
      foot.replaceChildren(...chips(evidence))
    },
    /**
     * @param {string} problem
     * @param {(() => void)} [retry]
     */
    fail(problem, retry) {
      waiting.remove()
      const line = element('p', { class: 'problem', text: problem })
      line.setAttribute('role', 'alert')
      if (retry) {
        const button = element('button', { class: 'link', text: 'Try again', type: 'button' })
        button.addEventListener('click', retry)
        line.append(' ', button)
      }
      foot.before(line)
    },
    /** @param {string} note */
    note(note) {
      waiting.remove()
      foot.before(element('p', { class: 'note', text: note }))
    },
  }
}

const TOOL_WORDS = {
  ask_memory_agent: 'Asking the memory agent',
  ask_weather_agent: 'Asking the weather agent',
  query_memory_tool: 'Looking into memory',
  save_memory_tool: 'Saving to memory',
  delete_memory_tool: 'Deleting from memory',
  get_weather: 'Looking up the weather',
}

/** @param {string} agent @param {string} tool */
const toolText = (agent, tool) =>
  TOOL_WORDS[/** @type {keyof typeof TOOL_WORDS} */ (tool)] ?? `${agent}: ${tool}`

/**
 * Which version of which prompt answered, and where it came from.
 * @param {{ prompts?: Record<string, { version: number, alias?: string, digest: string, source: string }>, model?: string, is_demo?: boolean }} evidence
 */
function chips({ prompts = {}, model, is_demo }) {
  const shown = Object.entries(prompts).map(([name, { version, alias, digest, source }]) => {
    const isFallback = source === 'default'
    const isOld = source === 'stale' || source === 'snapshot'
    const label = isFallback ? `${name} bundled default` : `${name}${alias ? `@${alias}` : ''} v${version}`
    const title = `${label}, from ${isFallback ? 'the text bundled with the assistant' : source}; digest ${digest.slice(0, 12)}`
    const kind = isFallback ? ' fallback' : isOld ? ' old' : ''
    return element(
      'li',
      { class: `chip${kind}`, title },
      label,
      element('small', { text: isFallback ? 'fallback' : source }),
    )
  })
  if (shown.length === 0) return []
  const list = element('ul', { class: 'chips' }, ...shown)
  list.setAttribute('aria-label', 'Prompts behind this answer')
  if (model) list.append(element('li', { class: 'model', text: is_demo ? 'demo model' : model }))
  return [list]
}

/**
 * @param {{ id: string, title: string, message_count: number, updated_at: string }} conversation
 * @param {boolean} isCurrent
 * @param {(id: string) => void} open
 */
export function conversationItem({ id, title, updated_at }, isCurrent, open) {
  const link = element('a', {}, element('span', { text: title }), element('small', { text: day(updated_at) }))
  link.setAttribute('href', `#${id}`)
  if (isCurrent) link.setAttribute('aria-current', 'page')
  link.addEventListener('click', (event) => {
    event.preventDefault()
    open(id)
  })
  return element('li', {}, link)
}

/** @param {string} time */
function day(time) {
  const date = new Date(time)
  const isToday = date.toDateString() === new Date().toDateString()
  return isToday
    ? date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString([], { day: 'numeric', month: 'short' })
}
