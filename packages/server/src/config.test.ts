import { describe, expect, it } from 'vitest'
import { ConfigError, readConfig } from './config.ts'

describe('readConfig', () => {
  it('has a default for everything', () => {
    expect(readConfig({})).toEqual({
      HOST: '127.0.0.1',
      PORT: 5055,
      DATABASE_URL: 'sqlite:./.promptkeep/registry.db',
      SHUTDOWN_GRACE_MS: 5000,
      HEARTBEAT_MS: 15_000,
      MAX_STREAMS: 20_000,
      REQUEST_TIMEOUT_MS: 30_000,
      LOG_LEVEL: 'info',
      ALLOW_MODEL_CONFIG_EDIT: false,
      ALLOWED_HOSTS: [],
      ALLOWED_ORIGINS: [],
      TRUST_PROXY: 0,
      RATE_LIMIT_PER_TOKEN: 1000,
      RATE_LIMIT_PER_ADDRESS: 1000,
    })
  })
  it('reads every variable and leaves the others alone', () => {
    const env = {
      HOST: '::1',
      PORT: '0',
      DATABASE_URL: 'postgres://ada:secret@db/prompts',
      SHUTDOWN_GRACE_MS: '10',
      HEARTBEAT_MS: '100',
      MAX_STREAMS: '5',
      REQUEST_TIMEOUT_MS: '0',
      LOG_LEVEL: 'debug',
      ALLOW_MODEL_CONFIG_EDIT: 'true',
      ALLOWED_HOSTS: 'Prompts.example.com, registry',
      ALLOWED_ORIGINS: 'https://prompts.example.com,http://ui.example.com:8080',
      TRUST_PROXY: '1',
      RATE_LIMIT_PER_TOKEN: '0',
      RATE_LIMIT_PER_ADDRESS: '50',
      PATH: '/bin',
    }
    expect(readConfig(env)).toEqual({
      HOST: '::1',
      PORT: 0,
      DATABASE_URL: 'postgres://ada:secret@db/prompts',
      SHUTDOWN_GRACE_MS: 10,
      HEARTBEAT_MS: 100,
      MAX_STREAMS: 5,
      REQUEST_TIMEOUT_MS: 0,
      LOG_LEVEL: 'debug',
      ALLOW_MODEL_CONFIG_EDIT: true,
      ALLOWED_HOSTS: ['prompts.example.com', 'registry'],
      ALLOWED_ORIGINS: ['https://prompts.example.com', 'http://ui.example.com:8080'],
      TRUST_PROXY: 1,
      RATE_LIMIT_PER_TOKEN: 0,
      RATE_LIMIT_PER_ADDRESS: 50,
    })
  })
  it.each([
    '127.0.0.1',
    '127.8.8.8',
    'localhost',
    '::1',
    '0.0.0.0',
    '::',
    '192.168.1.20',
    'registry.example.com',
  ])('listens on %s', (HOST) => {
    expect(readConfig({ HOST }).HOST).toBe(HOST)
  })
  it.each(['', ' ', 'a b', '127.0.0.1:80', 'http://localhost', '/tmp/socket', '[::1]'])(
    '%j is no address to listen on',
    (HOST) => {
      expect(() => readConfig({ HOST })).toThrow(/^HOST must be an address of this machine, .*; got ".*"$/)
    },
  )
  it.each(['a:80', 'http://a', 'a b', 'a/b', '*.example.com'])('%j is no host name', (ALLOWED_HOSTS) => {
    expect(() => readConfig({ ALLOWED_HOSTS })).toThrow(/^ALLOWED_HOSTS must be host names/)
  })
  it.each(['*', 'example.com', 'https://a/', 'https://a/b', 'ftp://a', 'https://u:p@a', 'null'])(
    '%j is no origin',
    (ALLOWED_ORIGINS) => {
      expect(() => readConfig({ ALLOWED_ORIGINS })).toThrow(/^ALLOWED_ORIGINS must be origins/)
    },
  )
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
      HOST: 'a b',
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
