// Adds up vitest's JSON reports. A later report of a file replaces what an earlier one skipped there (the reason for
// a skip is part of a test's name, so the names differ); failures stay. The last line is `N passed, N failed, N skipped`. Exit 1 when a test failed, when none ran, or a report is missing.
import { existsSync, readFileSync } from 'node:fs'

/** File to test to outcome. */
const files = new Map()
let broken = false
for (const path of process.argv.slice(2)) {
  if (!existsSync(path)) {
    process.stdout.write(`No report at ${path}: that run did not get as far as its tests.\n`)
    broken = true
    continue
  }
  for (const file of JSON.parse(readFileSync(path, 'utf8')).testResults) {
    const kept = [...(files.get(file.name) ?? [])].filter(
      ([, status]) => status === 'passed' || status === 'failed',
    )
    const tests = new Map(kept)
    files.set(file.name, tests)
    // A file that fails to load has no tests in the report, and must not vanish.
    if (file.status === 'failed' && file.assertionResults.length === 0) tests.set('', 'failed')
    for (const { fullName, status } of file.assertionResults)
      if (tests.get(fullName) !== 'failed') tests.set(fullName, status)
  }
}
const outcomes = [...files.values()].flatMap((tests) => [...tests.values()])
const count = (wanted) => outcomes.filter(wanted).length
const passed = count((status) => status === 'passed')
const failed = count((status) => status === 'failed')
const skipped = count((status) => status !== 'passed' && status !== 'failed')
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
process.exitCode = broken || failed > 0 || passed === 0 ? 1 : 0
