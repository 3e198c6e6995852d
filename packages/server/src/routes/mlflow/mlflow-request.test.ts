import { RegistryError } from '@promptkeep/client/protocol'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import {
  atMost,
  boolean,
  double,
  type Fields,
  integer,
  keyValue,
  list,
  message,
  oneOf,
  orDefault,
  required,
  string,
} from './fields.ts'
import { mlflowRequest } from './mlflow-request.ts'

/** Answers with what was read, or with the message of the refusal. */
function server(fields: Fields) {
  const app = new Hono()
  app.onError((error, c) =>
    c.json({ refused: error instanceof RegistryError ? error.message : `not ours: ${error}` }, 400),
  )
  app.all('/', mlflowRequest(fields), (c) => c.json({ read: c.get('request') as object }))
  const ask = async (path: string, init?: RequestInit) => {
    const answer = await app.request(path, init)
    return (await answer.json()) as { read?: Record<string, unknown>; refused?: string }
  }
  return {
    get: (query: string) => ask(`/${query}`),
    send: (body: BodyInit | null, method = 'POST', type: string | null = 'application/json') =>
      ask('/', { method, body, ...(type === null ? {} : { headers: { 'content-type': type } }) }),
    post: (value: unknown) =>
      ask('/', {
        method: 'POST',
        body: JSON.stringify(value),
        headers: { 'content-type': 'application/json' },
      }),
  }
}

const hint = ' See the API docs for more information about request parameters.'
const missing = (path: string) => `Missing value for required parameter '${path}'.${hint}`
const wrong = (path: string, value: string, type: string) =>
  `Invalid value ${value} for parameter '${path}' supplied:  Hint: Value was of type '${type}'.${hint}`

describe('mlflowRequest: where it reads', () => {
  const named = server({ name: required(string), new_name: string, stages: list(required(string)) })

  it('takes the first of repeated query values, all of them for a list, and ignores unknown ones', async () => {
    expect(await named.get('?name=a&name=b&stages=x&stages=y&zzz=1')).toEqual({
      read: { name: 'a', stages: ['x', 'y'] },
    })
  })
  it('does not know camelCase in a query', async () => {
    expect((await named.get('?name=a&newName=b')).read).toEqual({ name: 'a', stages: [] })
  })
  it('reads percent-encoding and plus signs as a form does', async () => {
    expect((await named.get('?name=pr%C3%B6mpt+%E2%98%95')).read?.name).toBe('prömpt ☕')
  })
  it('reads the body of a DELETE and not its query', async () => {
    const app = new Hono().delete('/', mlflowRequest({ name: string }), (c) => c.json(c.get('request')))
    const answer = await app.request('/?name=query', { method: 'DELETE', body: '{"name":"body"}' })
    expect(await answer.json()).toEqual({ name: 'body' })
  })
  it.each(['{bad', '', 'null', '{"name": NaN}'])('takes %j for an empty body', async (body) => {
    expect((await named.send(body)).refused).toBe(missing('name'))
  })
  it('decodes JSON text inside a JSON string', async () => {
    expect((await named.post('{"name": "dbl"}')).read?.name).toBe('dbl')
  })
  it.each([
    ['[1]', 'Invalid request body: a JSON object is expected.'],
    ['5', 'Invalid request body: a JSON object is expected.'],
    ['"[]"', 'Invalid request body: a JSON object is expected.'],
  ])('refuses the body %s', async (body, refused) => {
    expect((await named.send(body)).refused).toBe(refused)
  })
  it('refuses bytes that are not UTF-8, and forgives a byte order mark', async () => {
    expect((await named.send(new Uint8Array([0x7b, 0xff, 0x7d]))).refused).toMatch(/not UTF-8/)
    expect((await named.send('\ufeff{"name":"a"}')).read?.name).toBe('a')
  })
  it('wants a content type of POST and PUT only', async () => {
    const bytes = new TextEncoder().encode('{"name":"a"}')
    expect((await named.send(bytes, 'POST', null)).refused).toBe(
      'Bad Request. Content-Type header is missing.',
    )
    expect((await named.send(bytes, 'PUT', 'text/plain')).refused).toBe(
      "Bad Request. Content-Type must be one of ['application/json'].",
    )
    expect((await named.send(bytes, 'POST', 'application/json; charset=utf-8')).read?.name).toBe('a')
    expect((await named.send(bytes, 'PATCH', null)).read?.name).toBe('a')
  })
})

describe('mlflowRequest: what it reads', () => {
  it.each<{ rule: string; fields: Fields; body: object; read?: object; refused?: string }>([
    { rule: 'null is unset', fields: { a: string }, body: { a: null }, read: {} },
    {
      rule: 'an absent list is empty',
      fields: { a: list(required(string)) },
      body: {},
      read: { a: [] },
    },
    {
      rule: 'camelCase is understood',
      fields: { run_link: string },
      body: { runLink: 'x' },
      read: { run_link: 'x' },
    },
    {
      rule: 'a required field is looked for in snake_case only',
      fields: { new_name: required(string) },
      body: { newName: 'x' },
      refused: missing('new_name'),
    },
    {
      rule: 'both spellings are one too many',
      fields: { new_name: string },
      body: { newName: 'x', new_name: 'y' },
      refused: "Request specifies both 'new_name' and 'newName'; provide only one of them.",
    },
    { rule: '"" is missing', fields: { a: required(string) }, body: { a: '' }, refused: missing('a') },
    {
      rule: 'an older name stands in for an absent field',
      fields: { run_id: required(string, 'run_uuid') },
      body: { run_uuid: 'r' },
      read: { run_id: 'r' },
    },
    {
      rule: 'the newer name wins',
      fields: { run_id: required(string, 'run_uuid') },
      body: { run_uuid: 'old', run_id: 'new' },
      read: { run_id: 'new' },
    },
    { rule: 'a default', fields: { a: orDefault(integer, 7) }, body: {}, read: { a: 7 } },
    { rule: 'a number is no text', fields: { a: string }, body: { a: 5 }, refused: wrong('a', '5', 'int') },
    {
      rule: '1.5 is no whole number',
      fields: { a: integer },
      body: { a: 1.5 },
      refused: wrong('a', '1.5', 'float'),
    },
    { rule: 'whole numbers as text', fields: { a: integer }, body: { a: '12' }, read: { a: 12 } },
    {
      rule: 'a whole number that JavaScript would change is refused',
      fields: { a: integer },
      body: { a: '9007199254740993' },
      refused: wrong('a', '"9007199254740993"', 'str'),
    },
    {
      rule: 'true is no number',
      fields: { a: integer },
      body: { a: true },
      refused: wrong('a', 'true', 'bool'),
    },
    { rule: 'numbers as text', fields: { a: double }, body: { a: '-1.5e3' }, read: { a: -1500 } },
    { rule: 'NaN comes as text', fields: { a: double }, body: { a: 'NaN' }, read: { a: null } },
    {
      rule: 'a word is no number',
      fields: { a: double },
      body: { a: 'abc' },
      refused: wrong('a', '"abc"', 'str'),
    },
    { rule: '"" is no number', fields: { a: double }, body: { a: '' }, refused: wrong('a', '""', 'str') },
    {
      rule: '"true" is no boolean',
      fields: { a: boolean },
      body: { a: 'true' },
      refused: wrong('a', '"true"', 'str'),
    },
    {
      rule: 'an object is no list',
      fields: { a: list(string) },
      body: { a: {} },
      refused: wrong('a', '{}', 'dict'),
    },
    {
      rule: 'null inside a list',
      fields: { a: list(string) },
      body: { a: ['x', null] },
      refused: wrong('a[1]', 'null', 'NoneType'),
    },
    {
      rule: 'a nested value is named by its path',
      fields: { tags: list(keyValue) },
      body: { tags: [{ key: 'k' }, { key: 'k', value: 5 }] },
      refused: wrong('tags[1].value', '5', 'int'),
    },
    {
      rule: 'a missing nested value too',
      fields: { metrics: list(message({ key: required(string) })) },
      body: { metrics: [{ value: 1 }] },
      refused: missing('metrics[0].key'),
    },
    {
      rule: 'an unknown name of an enumeration is ignored',
      fields: { a: oneOf('X', 'Y') },
      body: { a: 'Z' },
      read: {},
    },
    { rule: 'an enumeration by number', fields: { a: oneOf('X', 'Y') }, body: { a: 2 }, read: { a: 'Y' } },
    {
      rule: 'a bound',
      fields: { a: atMost(1000, integer) },
      body: { a: 1001 },
      refused: wrong('a', '1001', 'int'),
    },
    {
      rule: 'values are printed as Python prints them',
      fields: { a: string },
      body: { a: { z: 1, b: 'ö☕' } },
      refused: wrong('a', '{"b":"\\u00f6\\u2615","z":1}', 'dict'),
    },
    {
      rule: 'inherited names are not fields',
      fields: { constructor: string },
      body: {},
      read: {},
    },
  ])('$rule', async ({ fields, body, read, refused }) => {
    expect(await server(fields).post(body)).toEqual(read ? { read } : { refused })
  })

  it.each([
    ['U+0000', 'a\u0000'],
    ['a lone high surrogate', 'a\ud800'],
    ['a lone low surrogate', '\udc00b'],
  ])('refuses %s and names the field', async (_, text) => {
    const tagged = server({ tags: list(keyValue) })
    const { refused } = await tagged.post({ tags: [{ key: 'k', value: text }] })
    expect(refused).toMatch(/parameter 'tags\[0\]\.value'.*position/)
  })
  it('keeps pairs of surrogates', async () => {
    expect((await server({ a: string }).post({ a: '😀' })).read).toEqual({ a: '😀' })
  })
  it('reads booleans of a query in any case and refuses others', async () => {
    const flagged = server({ a: boolean, max: integer })
    expect((await flagged.get('?a=TRUE&max=5')).read).toEqual({ a: true, max: 5 })
    expect((await flagged.get('?a=yes')).refused).toBe(
      "Invalid boolean value: yes, must be 'true' or 'false'.",
    )
  })
})
