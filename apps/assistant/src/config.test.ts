import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ConfigError, readConfig, SETTINGS } from './config.ts'

describe('readConfig', () => {
  it('has a default for everything that an assistant needs', () => {
    expect(readConfig({})).toEqual({
      ASSISTANT_PORT: 8000,
      ASSISTANT_DATABASE: 'sqlite:./.promptkeep/assistant.db',
      LOG_LEVEL: 'info',
      MLFLOW_TRACKING_URI: 'http://127.0.0.1:5055',
      PROMPT_CACHE_TTL_SECONDS: 300,
      PROMPT_ALIAS: ['production'],
      ALLOW_PROMPT_OVERRIDE: false,
      OPENAI_BASE_URL: 'https://api.openai.com/v1',
      OPENAI_MODEL: 'gpt-4.1',
      ALLOWED_MODELS: ['gpt-4.1'],
      TIMEOUT_SECONDS: 30,
      HEARTBEAT_SECONDS: 15,
      HISTORY_TOKEN_BUDGET: 4000,
      MEMORY_READS_PER_MINUTE: 10,
      MEMORY_WRITES_PER_CONVERSATION: 10,
      MEMORY_WRITES_PER_HOUR: 25,
      WEATHER_API_BASE_URL: 'https://api.openweathermap.org/data/2.5',
      WEATHER_API_TIMEOUT_SECONDS: 5,
      WEATHER_CACHE_CURRENT_SECONDS: 600,
      WEATHER_CACHE_FORECAST_SECONDS: 1800,
      SHUTDOWN_GRACE_SECONDS: 5,
    })
  })

  it.each([
    { rule: 'reads a port', env: { ASSISTANT_PORT: '0' }, want: { ASSISTANT_PORT: 0 } },
    {
      rule: 'takes 0 as "no cache"',
      env: { PROMPT_CACHE_TTL_SECONDS: '0' },
      want: { PROMPT_CACHE_TTL_SECONDS: 0 },
    },
    { rule: 'takes parts of a second', env: { TIMEOUT_SECONDS: '0.5' }, want: { TIMEOUT_SECONDS: 0.5 } },
    {
      rule: 'reads a comma as an alias chain',
      env: { PROMPT_ALIAS: 'experiment, production' },
      want: { PROMPT_ALIAS: ['experiment', 'production'] },
    },
    {
      rule: 'always allows its own model',
      env: { OPENAI_MODEL: 'small', ALLOWED_MODELS: 'big, small,' },
      want: { ALLOWED_MODELS: ['small', 'big'] },
    },
    {
      rule: 'drops the slash at the end of an address',
      env: { OPENAI_BASE_URL: 'http://127.0.0.1:1/v1/' },
      want: { OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' },
    },
    {
      rule: 'takes an empty value as the default',
      env: { ASSISTANT_PORT: '  ' },
      want: { ASSISTANT_PORT: 8000 },
    },
    { rule: 'takes a level in capitals', env: { LOG_LEVEL: 'DEBUG' }, want: { LOG_LEVEL: 'debug' } },
    { rule: 'reads a switch', env: { ALLOW_PROMPT_OVERRIDE: 'true' }, want: { ALLOW_PROMPT_OVERRIDE: true } },
    { rule: 'reads a temperature', env: { TEMPERATURE: '0.2' }, want: { TEMPERATURE: 0.2 } },
  ])('$rule', ({ env, want }) => expect(readConfig(env)).toMatchObject(want))

  it.each([
    { name: 'ASSISTANT_PORT', bad: '80 80', allowed: 'a port from 0 to 65535' },
    { name: 'ASSISTANT_PORT', bad: '65536', allowed: 'a port from 0 to 65535' },
    { name: 'ASSISTANT_DATABASE', bad: 'postgres://x', allowed: 'must be sqlite:' },
    { name: 'LOG_LEVEL', bad: 'loud', allowed: 'must be one of' },
    { name: 'MLFLOW_TRACKING_URI', bad: 'localhost:5055', allowed: 'http:// or https://' },
    { name: 'PROMPT_CACHE_TTL_SECONDS', bad: '-1', allowed: '0 or more' },
    { name: 'PROMPT_CACHE_TTL_SECONDS', bad: 'five', allowed: '0 or more' },
    { name: 'PROMPT_ALIAS', bad: 'a,,b', allowed: 'alias names' },
    { name: 'PROMPT_ALIAS', bad: 'Latest', allowed: 'reserved' },
    { name: 'PROMPT_ALIAS', bad: 'production,v3', allowed: 'reserved' },
    { name: 'ALLOW_PROMPT_OVERRIDE', bad: 'yes', allowed: 'true or false' },
    { name: 'OPENAI_BASE_URL', bad: 'ftp://x', allowed: 'http:// or https://' },
    { name: 'TEMPERATURE', bad: '3', allowed: 'from 0 to 2' },
    { name: 'MAX_TOKENS', bad: '0', allowed: 'at least 1' },
    { name: 'TIMEOUT_SECONDS', bad: '0', allowed: 'more than 0' },
    { name: 'HEARTBEAT_SECONDS', bad: '0', allowed: 'more than 0' },
    { name: 'HISTORY_TOKEN_BUDGET', bad: '1.5', allowed: 'whole number' },
    { name: 'MEMORY_READS_PER_MINUTE', bad: '0', allowed: 'at least 1' },
    { name: 'MEMORY_WRITES_PER_CONVERSATION', bad: '0', allowed: 'at least 1' },
    { name: 'MEMORY_WRITES_PER_HOUR', bad: 'many', allowed: 'at least 1' },
    { name: 'WEATHER_API_BASE_URL', bad: 'weather', allowed: 'http:// or https://' },
    { name: 'WEATHER_API_TIMEOUT_SECONDS', bad: '61', allowed: 'at most 60' },
    { name: 'WEATHER_CACHE_CURRENT_SECONDS', bad: '-1', allowed: '0 or more' },
    { name: 'WEATHER_CACHE_FORECAST_SECONDS', bad: '-1', allowed: '0 or more' },
    { name: 'SHUTDOWN_GRACE_SECONDS', bad: '0', allowed: 'more than 0' },
  ])('refuses $name=$bad and says what is allowed', ({ name, bad, allowed }) => {
    const read = () => readConfig({ [name]: bad })
    expect(read).toThrow(ConfigError)
    expect(read).toThrow(name)
    expect(read).toThrow(allowed)
    expect(read).toThrow(JSON.stringify(bad))
  })

  it('names every bad variable in one message of one line', () => {
    const read = () => readConfig({ ASSISTANT_PORT: 'x', TEMPERATURE: 'y', PROMPT_ALIAS: ' v1 ' })
    expect(read).toThrow(/^ASSISTANT_PORT .*; PROMPT_ALIAS .*; TEMPERATURE [^\n]*$/)
  })

  it('has every setting in the documentation, with its default', () => {
    const docs = readFileSync(new URL('../../../docs/assistant.md', import.meta.url), 'utf8')
    const defaults: Record<string, unknown> = { ...readConfig({}), ALLOWED_MODELS: undefined }
    for (const name of SETTINGS) {
      const row = docs.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${name}\``))
      expect(row, name).toBeDefined()
      expect(row, name).toContain(defaults[name] === undefined ? '| – |' : `\`${defaults[name]}\``)
    }
  })
})
