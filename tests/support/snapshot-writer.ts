import { snapshotFile } from '@promptkeep/client/snapshot'
import { snapshotOf } from './snapshots.ts'

/*
 * A process that writes one snapshot after the other, until it is killed: `snapshot-writer.ts <file> <first number>`. It
 * says so once it has begun.
 */

const [path = '', first = '0'] = process.argv.slice(2)
const store = snapshotFile(path)
for (let n = Number(first); ; n++) {
  await store.write(await snapshotOf(n))
  if (n === Number(first)) process.stdout.write('writing\n')
}
