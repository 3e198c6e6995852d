import { fromChange } from '@promptkeep/client/protocol'
import { wireVersion } from '../routes/mlflow/wire.ts'
import type { ToldChange } from '../store/store.ts'
import type { Batch, Frame } from './live.ts'

/** A version beyond it is told by number and digest, and asked for by whoever wants it: most do not. */
const MAX_VERSION_BYTES = 64 * 1024

/** Of a change: before and after of an edit may be long, and the list has it. */
const MAX_EVIDENCE_CHARACTERS = 16 * 1024

const encoder = new TextEncoder()

/** A change as a server-sent event. JSON holds no line break, so `data` is one line. */
export function toFrame({ change, version }: ToldChange): Frame {
  const seq = change.seq ?? 0
  const wire = version && JSON.stringify(wireVersion(version))
  const fits = wire !== undefined && Buffer.byteLength(wire) <= MAX_VERSION_BYTES
  const { evidence = '', ...rest } = change
  const told = evidence.length > MAX_EVIDENCE_CHARACTERS ? rest : change
  const data = `{"change":${JSON.stringify(fromChange(told))}${fits ? `,"model_version":${wire}` : ''}}`
  return { seq, bytes: encoder.encode(`id: ${seq}\nevent: change\ndata: ${data}\n\n`) }
}

/** An event of the stream itself. `id` moves the reader's cursor. */
export const eventBytes = (event: string, data: object, id?: number): Uint8Array =>
  encoder.encode(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)

/** @param frames - At least one. */
export function toBatch(frames: readonly Frame[]): Batch {
  const [first] = frames
  const last = frames.at(-1)
  if (!first || !last) throw new Error('a batch needs a frame')
  const bytes = frames.length === 1 ? first.bytes : Buffer.concat(frames.map((frame) => frame.bytes))
  return { first: first.seq, last: last.seq, bytes, frames }
}
