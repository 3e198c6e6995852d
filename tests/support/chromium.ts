import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PATH = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'

/** Why browser tests are skipped; empty where Chromium is. `REQUIRE_CHROMIUM=1` makes its absence a failure. */
export const chromiumSkip: string =
  existsSync(PATH) || process.env.REQUIRE_CHROMIUM ? '' : `(skipped: there is no ${PATH})`

/** Tests run as root in containers, where Chromium's own sandbox cannot start; the page is our own. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: PATH, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
