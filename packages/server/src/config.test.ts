import { describe, expect, it } from 'vitest'
import { ConfigError, readConfig } from './config.ts'

describe('readConfig', () => {
  it('has a default for everything', () => {
    expect(readConfig({})).toEqual({
      HOST: '127.0.0.1',
      PORT: 5055,
      DATABASE_URL: 'sqlite:./.promptkeep/registry.db',
      SHUTDOWN_GRACE_MS: 5000,
      LOG_LEVEL: 'info',
      ALLOW_MODEL_CONFIG_EDIT: false,
    })
  })
  it('reads every variable and leaves the others alone', () => {
    const env = {
      HOST: '::1',
      PORT: '0',
      DATABASE_URL: 'postgres://ada:secret@db/prompts',
      SHUTDOWN_GRACE_MS: '10',
      LOG_LEVEL: 'debug',
      ALLOW_MODEL_CONFIG_EDIT: 'true',
      PATH: '/bin',
    }
    expect(readConfig(env)).toEqual({
      HOST: '::1',
      PORT: 0,
      DATABASE_URL: 'postgres://ada:secret@db/prompts',
      SHUTDOWN_GRACE_MS: 10,
      LOG_LEVEL: 'debug',
      ALLOW_MODEL_CONFIG_EDIT: true,
    })
  })
  it.each(['127.0.0.1', '127.8.8.8', 'localhost', '::1'])('listens on %s', (HOST) => {
    expect(readConfig({ HOST }).HOST).toBe(HOST)
  })
  it.each([
    '0.0.0.0',
    '::',
    '192.168.1.20',
    'example.com',
    'localhost.example.com',
    '127.0.0.1.example.com',
    '',
  ])('does not listen on %j before there are tokens', (HOST) => {
    const said = `HOST must be a loopback address (127.0.0.1, ::1 or localhost) until the server has tokens; got "${HOST}"`
    expect(() => readConfig({ HOST })).toThrow(new ConfigError(said))
  })
  it.each(['', ' ', '5055x', '-1', '65536', '1e3', '99999999999999999999', '0x10'])(
    'PORT=%j is no port',
    (PORT) => {
      expect(() => readConfig({ PORT })).toThrow(/^PORT must be .*; got ".*"$/)
    },
  )
  it.each(['', 'sqlite:', 'mysql://x', 'registry.db', 'http://x'])(
    'DATABASE_URL=%j is no database',
    (DATABASE_URL) => {
      expect(() => readConfig({ DATABASE_URL })).toThrow(/^DATABASE_URL must be sqlite:/)
    },
  )
  it('never repeats a password', () => {
    expect(() => readConfig({ DATABASE_URL: 'mysql://ada:secret@db/x' })).toThrow('got "mysql://…@db/x"')
  })
  it('names every bad variable at once', () => {
    const env = {
      HOST: '0.0.0.0',
      PORT: 'x',
      LOG_LEVEL: 'loud',
      ALLOW_MODEL_CONFIG_EDIT: 'yes',
      SHUTDOWN_GRACE_MS: '-',
    }
    const names = (error: unknown) => (error as Error).message.split('\n').map((line) => line.split(' ')[0])
    let told: unknown
    try {
      readConfig(env)
    } catch (error) {
      told = error
    }
    expect(told).toBeInstanceOf(ConfigError)
    expect(names(told).sort()).toEqual(Object.keys(env).sort())
  })
})
