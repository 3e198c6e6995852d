import { createRegistry } from '@promptkeep/client'
import { countFetch, measureClient, median, readJob } from './measure.ts'

const { url, ...size } = readJob()
const requests = countFetch()
const registry = createRegistry({ trackingUri: url })
const figures = await measureClient((name) => registry.load(name), { ...size, requests })

const set = await registry.loadSet(['bench-0', 'bench-1'])
const gets: number[] = []
for (let round = 0; round < size.rounds; round += 1) {
  const start = process.hrtime.bigint()
  for (let i = 0; i < size.calls; i += 1) set.get('bench-0')
  gets.push(Number(process.hrtime.bigint() - start) / size.calls)
}

const map = new Map([['bench-0', 1]])
const loadMap = async (name: string) => map.get(name)
const maps: number[] = []
for (let round = 0; round < size.rounds; round += 1) {
  const start = process.hrtime.bigint()
  for (let i = 0; i < size.calls; i += 1) await loadMap('bench-0')
  maps.push(Number(process.hrtime.bigint() - start) / size.calls)
}
await registry.close()
console.log(JSON.stringify({ ...figures, setGetNs: median(gets), awaitedMapGetNs: median(maps) }))
