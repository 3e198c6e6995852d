import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadTarget } from './load-target.ts'

/** TypeScript as a suite's author would write it: types, no build. */
const MODULE = `
interface Asked { readonly input?: string }
const answer = (output: string) => ({
  run: async ({ input = '' }: Asked) => ({ output: output + ' ' + input, messages: [], toolCalls: [], prompts: {} }),
})
export const target = answer('plain')
export const made = async ({ trackingUri }: { trackingUri: string }) => answer(trackingUri)
export const broken = () => { throw new Error('no database') }
export const nothing = (): object => ({})
export const text: string = 'not a target'
`

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'promptkeep-target-'))
  await writeFile(join(folder, 'targets.ts'), MODULE)
  await writeFile(join(folder, 'wrong.ts'), 'export const target = {')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const setup = { trackingUri: 'http://registry', env: {} }
const options = { promptAlias: [], tenant: 't', signal: new AbortController().signal }
const load = (spec: string) => loadTarget({ target: spec, path: join(folder, 'suite.yaml') }, { fetch })

describe('a target in a module', () => {
  it.each([
    { rule: 'an object, by its name', spec: './targets.ts#target', output: 'plain hi' },
    { rule: 'the export "target" when no name is given', spec: './targets.ts', output: 'plain hi' },
    {
      rule: 'a function that makes one for the run',
      spec: './targets.ts#made',
      output: 'http://registry hi',
    },
  ])('is $rule', async ({ spec, output }) => {
    const target = await (await load(spec)).open(setup)
    expect((await target.run({ id: 'a', input: 'hi' }, options)).output).toBe(output)
  })

  it.each([
    {
      rule: 'a missing file',
      spec: './none.ts#target',
      error: /^target \.\/none\.ts#target: there is no .*none\.ts$/,
    },
    {
      rule: 'a missing export',
      spec: './targets.ts#chat',
      error: 'exported are broken, made, nothing, target',
    },
    {
      rule: 'an export that is no target',
      spec: './targets.ts#text',
      error: 'no target is exported as text',
    },
    { rule: 'a module that is not code', spec: './wrong.ts', error: 'target ./wrong.ts cannot be loaded: ' },
  ])('refuses $rule', async ({ spec, error }) => {
    await expect(load(spec)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(typeof error === 'string' ? new RegExp(error) : error),
    })
  })

  it.each([
    { rule: 'a function that throws', spec: './targets.ts#broken', error: 'cannot start: no database' },
    {
      rule: 'a function that makes something else',
      spec: './targets.ts#nothing',
      error: 'without a run method',
    },
  ])('refuses $rule', async ({ spec, error }) => {
    const loaded = await load(spec)
    await expect(loaded.open(setup)).rejects.toThrow(error)
  })
})
