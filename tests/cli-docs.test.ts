import { readFileSync } from 'node:fs'
import { parsePromptFile } from '@promptkeep/client/files'
import { describe, expect, it } from 'vitest'
import { createIo } from '../packages/cli/src/io.ts'
import { createProgram } from '../packages/cli/src/program.ts'

const text = readFileSync(new URL('../docs/cli.md', import.meta.url), 'utf8')
const sections = new Map(text.split(/^## /m).map((section) => [section.split('\n', 1)[0] ?? '', section]))
const { commands } = createProgram({ ...createIo(process), setExitCode() {} }, '0.0.0')

/** A command with the commands in it: they are told in one section. */
const family = (command: (typeof commands)[number]) => [command, ...command.commands]

/** Said once, for all commands. */
const COMMON = ['--json', '--tracking-uri']

describe('docs/cli.md', () => {
  it.each(commands.map((command) => [command.name(), command] as const))(
    'tells all of %s',
    (name, command) => {
      const section = sections.get(`promptkeep ${name}`) ?? ''
      for (const inner of command.commands) expect(section).toContain(`\npromptkeep ${name} ${inner.name()}`)
      expect(section).toContain(`\npromptkeep ${name}`)
      const options = family(command).flatMap((one) => one.options)
      const missing = options
        .map((option) => option.long ?? '')
        .filter((long) => !COMMON.includes(long) && !section.includes(`\`${long}`))
      expect(missing).toEqual([])
      const known = [...options.map((option) => option.long), ...COMMON]
      const rows = [...section.matchAll(/^\| `(--[a-z-]+)/gm)].map((match) => match[1])
      expect(rows.filter((long) => !known.includes(long))).toEqual([])
    },
  )

  it('shows prompt files that parse', () => {
    const files = [...text.matchAll(/```markdown\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
    expect(files).toHaveLength(2)
    const [plain, chat] = files.map((file) => parsePromptFile(file, 'example.md'))
    expect(plain).toMatchObject({ modelConfig: { temperature: 0 }, variables: ['name'] })
    expect(chat?.template).toMatchObject([{ content: 'You are brief.' }, { content: '{{ question }}' }])
  })
})
