import { mkdir } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import { writeWhole } from '@promptkeep/client/files'
import { datasetSchema, suiteSchema } from '@promptkeep/evals'
import { Argument, type Command } from 'commander'
import type { Io } from '../io.ts'
import { describeCommand } from '../registry-command.ts'

interface SchemaFlags {
  readonly write?: string
}

const SCHEMAS = { suite: suiteSchema, dataset: datasetSchema }

export const schema = (io: Io): Command =>
  describeCommand(
    'schema',
    'Print the JSON Schema of eval files, with which an editor completes and checks them',
    'schema suite --write evals/suite.schema.json',
    'schema dataset',
  )
    .addArgument(
      new Argument('[what]', 'what it is the form of').choices(Object.keys(SCHEMAS)).default('suite'),
    )
    .option('--write <file>', 'write it to this file, and print how a file names it')
    .action(async (what: keyof typeof SCHEMAS, { write }: SchemaFlags) => {
      const text = `${JSON.stringify(SCHEMAS[what](), null, 2)}\n`
      if (write === undefined) {
        io.out.write(text)
        return
      }
      const path = resolve(io.cwd, write)
      await mkdir(dirname(path), { recursive: true })
      await writeWhole(path, text)
      io.out.write(`${relative(io.cwd, path)}: the form of a ${what}; its first line in YAML:\n`)
      io.out.write('# yaml-language-server: $schema=<path from the YAML file to this one>\n')
    })
