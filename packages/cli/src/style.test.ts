import { describe, expect, it } from 'vitest'
import { createStyle, oneLine, printable, table, when } from './style.ts'

const terminal = { write() {}, isTty: true }
const pipe = { write() {}, isTty: false }

describe('createStyle', () => {
  it.each([
    { where: 'a terminal', output: terminal, env: {}, coloured: true },
    { where: 'a pipe', output: pipe, env: {}, coloured: false },
    { where: 'a terminal with NO_COLOR', output: terminal, env: { NO_COLOR: '1' }, coloured: false },
    { where: 'a dumb terminal', output: terminal, env: { TERM: 'dumb' }, coloured: false },
  ])('$where: coloured $coloured', ({ output, env, coloured }) =>
    expect(createStyle(output, env).red('x')).toBe(coloured ? '\u001B[31mx\u001B[39m' : 'x'),
  )
})

describe('printable', () => {
  it('shows what would steer a terminal, and keeps lines and tabs', () => {
    expect(printable('a\u001B[2J\tb\nc\u202E')).toBe('a\\u{001b}[2J\tb\nc\\u{202e}')
    expect(oneLine(' a\n\n b\u0007 ')).toBe('a b\\u{0007}')
  })
})

describe('table', () => {
  it('lines up cells, coloured or not', () => {
    const style = createStyle(terminal, {})
    expect(
      table([
        ['a', 'b'],
        [style.red('long'), 'c'],
      ]),
    ).toBe('a     b\n\u001B[31mlong\u001B[39m  c\n')
  })
})

describe('when', () => {
  it('is the same on every machine', () => expect(when(1_700_000_000_000)).toBe('2023-11-14 22:13 UTC'))
})
