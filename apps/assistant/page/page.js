import { readEvents } from './event-stream.js'
import { answerMessage, at, conversationItem, userMessage } from './view.js'

const log = at('log')
const list = at('list')
const side = at('conversations')
const box = /** @type {HTMLTextAreaElement} */ (at('message'))

/** What the page knows; the rest is asked of the server. */
const state = {
  /** @type {string | undefined} */
  conversationId: undefined,
  /** The greeting on the screen, until it is answered. @type {string | undefined} */
  greetingId: undefined,
  /** Ends the turn under way. @type {AbortController | undefined} */
  turn: undefined,
  isDemo: false,
  /** Counts refreshes: a late answer to an earlier one is dropped. */
  refresh: 0,
}

/** @param {string} path @param {RequestInit} [init] */
async function ask(path, init) {
  const response = await fetch(path, init).catch(() => {
    throw new Error('The assistant cannot be reached. Is it still running?')
  })
  if (response.ok || path === '/ready') return response
  const { detail } = await response.json().catch(() => ({}))
  throw new Error(detail ?? `The assistant answered ${response.status}.`)
}

/**
 * @param {string} message Empty: greet.
 * @param {boolean} [isRetry] In place of its last attempt.
 */
async function runTurn(message, isRetry = false) {
  const turn = new AbortController()
  state.turn?.abort()
  state.turn = turn
  showBusy(true)
  const answer = answerMessage()
  answer.busy(true)
  log.append(answer.node)
  toEnd()
  const retry = () => {
    answer.node.remove()
    void runTurn(message, true)
  }
  try {
    const body = JSON.stringify({
      message,
      conversation_id: state.conversationId,
      greeting_id: state.greetingId,
      retry: isRetry,
    })
    const headers = { 'Content-Type': 'application/json' }
    const response = await ask('/chat', { method: 'POST', headers, body, signal: turn.signal })
    const isWhole = await show(response, answer, retry)
    if (!isWhole) answer.fail('The connection was lost before the answer was complete.', retry)
  } catch (error) {
    if (turn.signal.aborted) answer.note('Stopped.')
    else answer.fail(error instanceof Error ? error.message : String(error), retry)
  } finally {
    answer.busy(false)
    answer.settle()
    if (state.turn === turn) {
      state.turn = undefined
      showBusy(false)
      void refresh()
    }
  }
}

/**
 * @param {Response} response
 * @param {ReturnType<typeof answerMessage>} answer
 * @param {() => void} retry
 * @returns Whether the stream came to its own end.
 */
async function show(response, answer, retry) {
  if (!response.body) return false
  for await (const { name, data } of readEvents(response.body)) {
    const stays = isAtEnd()
    if (name === 'start') begin(data)
    if (name === 'delta') answer.say(data.content)
    if (name === 'tool') answer.tool(data)
    if (name === 'done' || name === 'error') {
      answer.evidence(data)
      if (data.greeting_id) state.greetingId = data.greeting_id
      if (name === 'error') answer.fail(data.error, retry)
      if (name === 'done' && !data.is_stored) answer.note('This could not be saved.')
      if (stays) toEnd()
      return true
    }
    if (stays) toEnd()
  }
  return false
}

/** @param {{ conversation_id: string | null, persona: string }} event */
function begin({ conversation_id, persona }) {
  at('skip-intro').hidden = persona !== 'onboarding'
  if (!conversation_id) return
  state.conversationId = conversation_id
  state.greetingId = undefined
  history.replaceState(null, '', `#${conversation_id}`)
}

function clear() {
  state.turn?.abort()
  state.conversationId = undefined
  state.greetingId = undefined
  log.replaceChildren()
  showSide(false)
}

function startConversation() {
  clear()
  history.replaceState(null, '', location.pathname)
  at('ideas').hidden = !state.isDemo
  box.focus()
  void refresh()
  void runTurn('')
}

/** @param {string} id */
async function openConversation(id) {
  clear()
  at('ideas').hidden = true
  try {
    const conversation = await (
      await ask(`/conversations/${encodeURIComponent(id)}?message_limit=200`)
    ).json()
    state.conversationId = conversation.id
    history.replaceState(null, '', `#${conversation.id}`)
    for (const message of conversation.messages) showStored(message)
  } catch (error) {
    const answer = answerMessage()
    answer.fail(error instanceof Error ? error.message : String(error), startConversation)
    log.append(answer.node)
  }
  box.focus()
  toEnd()
  void refresh()
}

/** @param {any} message */
function showStored(message) {
  if (message.role === 'user') {
    log.append(userMessage(message.content))
    return
  }
  const answer = answerMessage()
  for (const [id, call] of (message.tools ?? []).entries())
    answer.tool({ id, ...call, tool: call.name, status: 'finished', ok: call.ok !== false })
  answer.say(message.content)
  answer.evidence(message)
  if (message.status === 'cancelled') answer.note('Stopped.')
  if (message.status === 'failed') answer.fail(message.error)
  log.append(answer.node)
}

async function refresh() {
  state.refresh += 1
  await Promise.all([refreshList(), refreshState()])
}

async function refreshList() {
  const mine = state.refresh
  const page = await ask('/conversations?limit=100')
    .then((response) => response.json())
    .catch(() => undefined) // the line in the header says what is wrong; the list stays as it was
  if (!page || mine !== state.refresh) return
  const { items } = page
  list.replaceChildren(
    ...items.map((/** @type {any} */ item) =>
      conversationItem(item, item.id === state.conversationId, openConversation),
    ),
  )
  at('none').hidden = items.length > 0
}

async function refreshState() {
  const mine = state.refresh
  const line = at('registry')
  try {
    const { registry, database, model } = await (await ask('/ready')).json()
    if (mine !== state.refresh) return
    state.isDemo = model.is_demo
    at('demo').hidden = !model.is_demo
    const problem =
      database === 'down'
        ? 'Database out of order: nothing is kept'
        : registry.state === 'down'
          ? 'Prompt registry does not answer'
          : registry.drifted.length > 0
            ? `${registry.drifted.length} edited prompt files not pushed`
            : ''
    line.textContent = problem
    line.classList.toggle('bad', problem !== '')
  } catch {
    if (mine !== state.refresh) return
    line.textContent = 'Not connected'
    line.classList.add('bad')
  }
}

/** @param {boolean} isBusy */
function showBusy(isBusy) {
  at('stop').hidden = !isBusy
  at('send').hidden = isBusy
}

/** @param {boolean} isOpen */
function showSide(isOpen) {
  side.classList.toggle('open', isOpen)
  at('shade').hidden = !isOpen
  at('toggle').setAttribute('aria-expanded', String(isOpen))
}

const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80
const toEnd = () => log.scrollTo({ top: log.scrollHeight })

function fitBox() {
  box.style.height = 'auto'
  box.style.height = `${Math.min(box.scrollHeight, 200)}px`
}

function send() {
  const message = box.value.trim()
  if (message === '') return
  state.turn?.abort() // a greeting still being written is not worth waiting for
  box.value = ''
  fitBox()
  at('ideas').hidden = true
  log.append(userMessage(message))
  void runTurn(message)
}

at('composer').addEventListener('submit', (event) => {
  event.preventDefault()
  send()
})
box.addEventListener('input', fitBox)
box.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  send()
})
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return
  if (side.classList.contains('open')) {
    showSide(false)
    at('toggle').focus()
  } else state.turn?.abort()
})
at('stop').addEventListener('click', () => {
  state.turn?.abort()
  box.focus()
})
at('new').addEventListener('click', startConversation)
at('toggle').addEventListener('click', () => showSide(!side.classList.contains('open')))
at('shade').addEventListener('click', () => showSide(false))
for (const idea of at('ideas').querySelectorAll('button')) {
  idea.addEventListener('click', () => {
    box.value = idea.textContent ?? ''
    send()
  })
}
at('skip-intro').addEventListener('click', async () => {
  try {
    await ask('/onboarding/end', { method: 'POST' })
    at('skip-intro').hidden = true
  } catch {
    void refreshState() // the header says what is wrong; the button stays
  }
  box.focus()
})
window.addEventListener('hashchange', () => void openConversation(location.hash.slice(1)))

await refreshState()
if (location.hash.length > 1) void openConversation(location.hash.slice(1))
else startConversation()
