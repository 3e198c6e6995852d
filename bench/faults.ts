import { CELLS, type Cell, LOADS } from './faults/cells.ts'
import { isInstalled, startClient, versions } from './faults/client-under-test.ts'
import { inTurn } from './faults/in-turn.ts'
import { type ClientName, protocols } from './faults/protocols.ts'
import { type CellFigures, type Figures, faultTable, figuresOf, LATENESS_MS } from './faults/table.ts'
import { publish, readOptions } from './report.ts'
import { TooLong } from './worker.ts'

/*
 * What clients do when their registry is in trouble: `npm run bench -- faults [--small]`. Each client in each cell has a
 * process and a service of its own; ours first and few at a time, then the others, who may take long.
 */

const options = readOptions()
/** The bench waits no longer for an answer. */
const CAP_MS = options.small ? 20_000 : 90_000
/** How much later than its deadline an answer may come; a small run is for machines that do other work beside it. */
const allowanceMs = options.small ? 1_000 : LATENESS_MS

async function runCell(client: ClientName, cell: Cell): Promise<CellFigures> {
  const running = await startClient(client, { ttlSeconds: cell.ttlSeconds, capMs: CAP_MS })
  const before = running.server.requests
  try {
    return figuresOf(cell, await cell.run(running), allowanceMs)
  } catch (error) {
    if (!(error instanceof TooLong)) throw error
    const requests = running.server.requests - before
    const never = { ms: Number.POSITIVE_INFINITY, served: 'none', error: 'no answer' } as const
    return figuresOf(cell, { loads: [never], requests }, allowanceMs)
  } finally {
    await running.stop()
  }
}

/** How the table is to be read. */
const READING = `Each client was told the same TTL (60 s; 2 s where it has to be over) and has its own settings else; ours and Langfuse's have
the prompt's text bundled, the others take none. Each had loaded another prompt before. A cell says the longest load (or the
time from the end of the outage to the first load of the new text), the requests that the service got, and what was
served: \`new\` and \`old\` texts of this prompt, the bundled one (\`fallback\`), an \`empty\` one, or no text but an error.
*Known and expired*: the prompt was loaded, changed, and its TTL is over; then ${LOADS} loads. WRONG: what was served last is
neither what the registry says, nor what it said last before the trouble, nor the bundled text where that is right.
An empty text is never right, nor is the old one where the registry says that there is no such prompt, or where
it answers and the TTL is over.`

const clients = (Object.keys(protocols) as ClientName[]).filter(isInstalled)
const rivals = clients.filter((client) => client !== 'promptkeep')
const theirs = CELLS.filter(({ isQuick }) => isQuick || !options.small)

const ours = await inTurn(CELLS, 4, (cell) => runCell('promptkeep', cell))
const jobs = theirs.flatMap((cell) => rivals.map((client) => ({ client, cell })))
const seen = await inTurn(jobs, options.small ? 4 : 12, async ({ client, cell }) => ({
  client,
  figures: await runCell(client, cell),
}))
const figures: Figures = {
  promptkeep: ours,
  ...Object.fromEntries(
    rivals.map((rival) => [
      rival,
      seen.filter(({ client }) => client === rival).map(({ figures }) => figures),
    ]),
  ),
}
await publish(options, {
  title: 'What clients do when their registry is in trouble',
  text: [faultTable(figures, CAP_MS), await versions(clients), READING].join('\n\n'),
  figures,
})
