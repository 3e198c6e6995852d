// Adds up vitest's JSON reports. A test that was skipped in one run and passed in another has passed; the last
// line is `N passed, N failed, N skipped`. Exit 1 when a test failed, when none ran, or a report is missing.
import { existsSync, readFileSync } from 'node:fs'

const tests = new Map()
const rank = { failed: 2, passed: 1 }
let broken = false
for (const path of process.argv.slice(2)) {
  if (!existsSync(path)) {
    process.stdout.write(`No report at ${path}: that run did not get as far as its tests.\n`)
    broken = true
    continue
  }
  for (const file of JSON.parse(readFileSync(path, 'utf8')).testResults) {
    // A file that fails to load has no tests in the report, and must not vanish.
    if (file.status === 'failed' && file.assertionResults.length === 0) tests.set(file.name, 'failed')
    for (const { fullName, status } of file.assertionResults) {
      const key = `${file.name} ${fullName}`
      if ((rank[status] ?? 0) >= (rank[tests.get(key)] ?? 0)) tests.set(key, status)
    }
  }
}
const count = (wanted) => [...tests.values()].filter(wanted).length
const passed = count((status) => status === 'passed')
const failed = count((status) => status === 'failed')
const skipped = count((status) => status !== 'passed' && status !== 'failed')
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
process.exitCode = broken || failed > 0 || passed === 0 ? 1 : 0
