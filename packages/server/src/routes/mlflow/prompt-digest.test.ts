import { digestOf, TAG } from '@promptkeep/client/protocol'
import { expect, it } from 'vitest'
import { requireDigest } from './prompt-digest.ts'

const prompt = { [TAG.isPrompt]: 'true', [TAG.text]: 'Hi', [TAG.type]: 'text' }
const claimed = { [TAG.digest]: await digestOf({ template: 'Hi' }) }

it('takes the digest of a prompt, claimed or not', async () => {
  expect(await requireDigest(prompt)).toBe(claimed[TAG.digest])
  expect(await requireDigest({ ...prompt, ...claimed })).toBe(claimed[TAG.digest])
})

it('has none for what is no prompt, and for what nobody can read', async () => {
  expect(await requireDigest({})).toBeUndefined()
  expect(await requireDigest({ ...prompt, [TAG.type]: 'chat' })).toBeUndefined()
})

it.each([
  [
    'another content',
    { ...prompt, [TAG.text]: 'Ho' },
    /must be the digest of the version's content, [0-9a-f]{64}; got/,
  ],
  ['a plain model', {}, /must be absent: .* is no prompt's; got/],
  ['a text without the mark of a prompt', { [TAG.text]: 'Hi' }, /is_prompt = true it is no prompt's/],
  ['a prompt without a text', { [TAG.isPrompt]: 'true' }, /must be absent: .* has no mlflow.prompt.text/],
  ['chat messages that are none', { ...prompt, [TAG.type]: 'chat' }, /must be absent: .* cannot be read/],
])('refuses a digest that is claimed for %s', async (_, tags, message) => {
  await expect(requireDigest({ ...tags, ...claimed })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: expect.stringMatching(message),
  })
})
