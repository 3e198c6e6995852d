import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { htmlReport, junitReport, markdownReport, type ReportInput } from '@promptkeep/evals'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'

/** Where reports go, as paths from the working folder. */
export interface ReportFiles {
  readonly junit?: string
  readonly markdown?: string
  readonly html?: string
}

const FORMATS = { junit: junitReport, markdown: markdownReport, html: htmlReport } as const

/** Writes the reports that were asked for, and makes the folders that they are to be in. */
export async function writeReports(io: Io, files: ReportFiles, input: ReportInput): Promise<void> {
  for (const format of ['junit', 'markdown', 'html'] as const) {
    const file = files[format]
    if (file === undefined) continue
    const path = resolve(io.cwd, file)
    try {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, FORMATS[format]({ madeAt: io.now(), ...input }))
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new CliError(`--${format}: ${file} cannot be written: ${why}`, { cause })
    }
  }
}
