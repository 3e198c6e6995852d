import { readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** Our own. */
export const VERSION = version

/** The server whose protocol this one speaks; its clients ask. */
export const MLFLOW_VERSION = '3.17.2'
