import { describe, expect, it } from 'vitest'
import { readConnection } from './connection.ts'
import { InvalidInput } from './errors.ts'

const authorization = (uri: string, env = {}) => readConnection(uri, env).headers.authorization
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('readConnection', () => {
  it.each([
    ['http://host:5055', 'http://host:5055'],
    ['http://host:5055/', 'http://host:5055'],
    ['https://host/prefix//', 'https://host/prefix'],
    ['http://ada:secret@host/x?y=1#z', 'http://host/x'],
  ])('%s is asked at %s', (uri, address) => expect(readConnection(uri, {}).address).toBe(address))

  it('takes credentials as MLflow does: the address, then user and password, then the token', () => {
    const env = {
      MLFLOW_TRACKING_USERNAME: 'ada',
      MLFLOW_TRACKING_PASSWORD: 'pä:ss',
      MLFLOW_TRACKING_TOKEN: 'tok',
    }
    expect(authorization('http://eve:p%40ss@host', env)).toBe(basic('eve:p@ss'))
    expect(authorization('http://host', env)).toBe(basic('ada:pä:ss'))
    expect(authorization('http://host', { ...env, MLFLOW_TRACKING_PASSWORD: '' })).toBe('Bearer tok')
    expect(authorization('http://host', { MLFLOW_TRACKING_USERNAME: 'ada' })).toBeUndefined()
  })

  it('names the workspace', () => {
    expect(readConnection('http://host', { MLFLOW_WORKSPACE: 'blue' }).headers['x-mlflow-workspace']).toBe(
      'blue',
    )
  })

  it('has another scope for another server, workspace or credential, and no secret in it', () => {
    const scopes = [
      readConnection('http://host', {}),
      readConnection('http://other', {}),
      readConnection('http://host', { MLFLOW_WORKSPACE: 'blue' }),
      readConnection('http://host', { MLFLOW_TRACKING_TOKEN: 'secret-1' }),
      readConnection('http://host', { MLFLOW_TRACKING_TOKEN: 'secret-2' }),
    ].map(({ scope }) => scope)
    expect(new Set(scopes).size).toBe(5)
    expect(scopes.join()).not.toContain('secret')
  })

  it.each([
    ['', '""'],
    ['foo', '"foo"'],
    ['host:5055', '"host:5055"'],
    ['sqlite:///x.db', '"sqlite:///x.db"'],
    ['ftp://u:secret@host/x', '"ftp://…@host/x"'],
    ['u:secret@host', '"…@host"'],
    ['ftp://u:se@cret@host?token=secret', '"ftp://…@host"'],
  ])('refuses the address %j, shows it, and repeats no secret', (uri, shown) => {
    const message = `trackingUri must be an http or https address, such as http://127.0.0.1:5055; got ${shown}`
    expect(() => readConnection(uri, {})).toThrow(new InvalidInput(message))
  })

  it('refuses a token that cannot be a header, without repeating it', () => {
    expect(() => readConnection('http://host', { MLFLOW_TRACKING_TOKEN: 'secret\n' })).toThrow(
      /^MLFLOW_TRACKING_TOKEN must hold printable ASCII characters only(?!.*secret)/,
    )
  })
})
