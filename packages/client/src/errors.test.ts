import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Conflict, InvalidInput, RegistryError } from './errors.ts'
import { makeBody } from './prompt-body.ts'

it('an error in the fields of a log line says its message, also as plain JSON', () => {
  const error = new RegistryError('UNAVAILABLE', 'refused', { status: 503, cause: new Error('secret') })
  expect(JSON.parse(JSON.stringify({ err: error }))).toEqual({
    err: { name: 'RegistryError', code: 'UNAVAILABLE', message: 'refused', status: 503 },
  })
})

describe('an error that is printed', () => {
  it('shows no field that it does not have', () => {
    expect(Object.keys(new InvalidInput('bad'))).not.toContain('status')
    expect(inspect(new InvalidInput('bad'))).not.toContain('undefined')
    expect(inspect(new Conflict('lost', null))).not.toContain('undefined')
  })

  it('shows what the wire said', () => {
    const error = new RegistryError('FORBIDDEN', 'no', { status: 403, mlflowCode: 'PERMISSION_DENIED' })
    expect(error).toMatchObject({ status: 403, mlflowCode: 'PERMISSION_DENIED' })
  })

  it('says once why a prompt cannot be formatted', async () => {
    const prompt = await makeBody({
      name: 'memory',
      version: 3,
      template: '{{ what }}',
      tags: {},
      digest: 'd',
    })
    let printed = ''
    try {
      prompt.format({})
    } catch (error) {
      printed = inspect(error)
    }
    expect(printed).toContain('prompt "memory" version 3: missing variable "what"')
    expect(printed.split('missing variable')).toHaveLength(2)
    expect(printed).not.toContain('cause')
  })
})
