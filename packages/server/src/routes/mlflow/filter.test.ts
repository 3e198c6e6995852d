import { InvalidInput } from '@promptkeep/client/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Clause } from '../../store/store.ts'
import { parseFilter, parseOrderBy } from './filter.ts'
import type { Subject } from './filter-subjects.ts'

const attribute = (key: string, comparator: Clause['comparator'], value: Clause['value']) => [
  { entity: 'attribute', key, comparator, value },
]
const tag = (key: string, comparator: Clause['comparator'], value?: string) => [
  { entity: 'tag', key, comparator, ...(value === undefined ? {} : { value }) },
]

describe('a filter is read', () => {
  it.each<[Subject, string | undefined, readonly object[]]>([
    ['registered models', undefined, []],
    ['registered models', '', []],
    ['registered models', '   ', []],
    ['registered models', "name = 's1'", attribute('name', '=', 's1')],
    ['registered models', `name="s1"`, attribute('name', '=', 's1')],
    ['registered models', "attribute.name ilike 'S%'", attribute('name', 'ILIKE', 'S%')],
    ['registered models', 'name IN (\'s1\', "s2",)', attribute('name', 'IN', ['s1', 's2'])],
    ['registered models', "name not in ('a\\n')", attribute('name', 'NOT IN', ['a\n'])],
    ['registered models', "name = 'it''s'", attribute('name', '=', "it''s")],
    ['registered models', "tag.grp = 'a'", tag('grp', '=', 'a')],
    ['registered models', "tags.`k-x.y z` != '1'", tag('k-x.y z', '!=', '1')],
    ['registered models', 'tags."team" LIKE "a"', tag('team', 'LIKE', 'a')],
    [
      'registered models',
      "tags.mlflow.prompt.is_prompt = 'true'",
      tag('mlflow.prompt.is_prompt', '=', 'true'),
    ],
    ['registered models', "name = 'a' AND", attribute('name', '=', 'a')],
    ['model versions', 'version_number >= 2', attribute('version_number', '>=', 2)],
    ['model versions', "version_number = '2'", attribute('version_number', '=', 2)],
    ['model versions', "run_id = ''", attribute('run_id', '=', '')],
    ['model versions', "source_path LIKE 'dummy%'", attribute('source_path', 'LIKE', 'dummy%')],
    ['experiments', "experiment_id IN ('1', '02')", attribute('experiment_id', 'IN', ['1', '2'])],
    ['experiments', 'creation_time > 0', attribute('creation_time', '>', 0)],
    ['experiments', 'tags.a IS NOT NULL', tag('a', 'IS NOT NULL')],
    ['runs', 'created > 1.5', attribute('start_time', '>', 1.5)],
    ['runs', "attributes.`Run name` = 'x'", attribute('run_name', '=', 'x')],
    ['runs', "run.run_id IN ('a')", attribute('run_id', 'IN', ['a'])],
    ['runs', '`metrics`.`acc` > -0.3', [{ entity: 'metric', key: 'acc', comparator: '>', value: -0.3 }]],
    ['runs', 'metrics.0 < 1e400', [{ entity: 'metric', key: '0', comparator: '<', value: Number.MAX_VALUE }]],
    ['runs', 'params.lr is null', [{ entity: 'param', key: 'lr', comparator: 'IS NULL' }]],
    ['runs', "tags.mlflow.runName = 'r'", tag('mlflow.runName', '=', 'r')],
    ['runs', "dataset.name IN ('d')", [{ entity: 'dataset', key: 'name', comparator: 'IN', value: ['d'] }]],
  ])('%s: %s', (subject, filter, clauses) => expect(parseFilter(subject, filter)).toEqual(clauses))

  it.each(["name = 'a' AND name = 'b'", "name = 'a' name = 'b'", "  name='a'AND name  =  'b' "])(
    'as a conjunction, the word AND or not: %s',
    (filter) => {
      const values = parseFilter('registered models', filter).map(({ value }) => value)
      expect(values).toEqual(['a', 'b'])
    },
  )
})

describe('a filter is refused in the words of MLflow', () => {
  it.each<[Subject, string, string]>([
    ['registered models', "name = 's1' OR name = 's2'", 'Invalid clause(s) in filter string: OR'],
    ['runs', 'metrics.a > 0.1 OR metrics.a < 0', "Invalid clause(s) in filter string: 'OR'"],
    ['registered models', 'name', 'Invalid clause(s) in filter string: name'],
    ['registered models', "= 'x'", "Invalid clause(s) in filter string: =, 'x'"],
    ['registered models', "(name = 'q')", "Invalid clause(s) in filter string: (name = 'q')"],
    ['registered models', "NOT name = 'x'", 'Invalid clause(s) in filter string: NOT'],
    ['registered models', "name IN 'a'", "Invalid clause(s) in filter string: name, IN, 'a'"],
    [
      'registered models',
      "name BETWEEN 'a' AND 'b'",
      "Invalid clause(s) in filter string: name, BETWEEN, 'a', 'b'",
    ],
    ['registered models', "name = 'x", "Invalid clause(s) in filter string: name, =, ', x"],
    [
      'registered models',
      "name = 's1'; name = 's2'",
      `Search filter contained multiple expression "name = 's1'; name = 's2'". Provide AND-ed expression list.`,
    ],
    [
      'registered models',
      'description = 1',
      "Invalid attribute key 'description' specified. Valid keys are '{'name'}'",
    ],
    [
      'registered models',
      "constructor = 'x'",
      "Invalid attribute key 'constructor' specified. Valid keys are '{'name'}'",
    ],
    ['registered models', "name > 'a'", 'Invalid comparator for attribute: >'],
    ['registered models', "tags.grp not like 'a'", 'Invalid comparator for tag: NOT LIKE'],
    [
      'registered models',
      'name = s1',
      'Parameter value is either not quoted or unidentified quote types used for string value s1. Use either single or double quotes.',
    ],
    [
      'registered models',
      'tags.grp = 5',
      "Expected a quoted string value for tag (e.g. 'my-value'). Got value 5",
    ],
    [
      'registered models',
      "tags.grp IN ('even')",
      "Expected a quoted string value for tag (e.g. 'my-value'). Got value ('even')",
    ],
    [
      'registered models',
      'name LIKE 5',
      'Expected a quoted string value or a list of quoted string values for attributes. Got value 5',
    ],
    [
      'registered models',
      'name IN ()',
      'While parsing a list in the query, expected a non-empty list of string values, but got empty list',
    ],
    [
      'registered models',
      "name IN ('a', 5)",
      "While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list: ('a', 5)",
    ],
    [
      'registered models',
      'name IN (a)',
      'While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.',
    ],
    [
      'registered models',
      'name IS NULL',
      "IS NULL and IS NOT NULL are not supported here, given for attribute 'name'",
    ],
    [
      'registered models',
      "params.x = '1'",
      "Invalid entity type 'params'. Valid entity types are ('attribute', 'tag', 'tags')",
    ],
    ['model versions', 'version_number = 2.5', "Invalid value for numeric attribute 'version_number': 2.5"],
    ['model versions', "version_number = 'x'", "Invalid value for numeric attribute 'version_number': 'x'"],
    [
      'model versions',
      'version_number = 99999999999999999999',
      "Invalid value for numeric attribute 'version_number': 99999999999999999999",
    ],
    [
      'model versions',
      'version_number IN (1,2)',
      "Only ['name', 'run_id'] attributes support comparison with a list of quoted string values.",
    ],
    [
      'model versions',
      "source_path IN ('a')",
      "Only ['name', 'run_id'] attributes support comparison with a list of quoted string values.",
    ],
    [
      'experiments',
      "name IN ('exp1')",
      "Only ['experiment_id'] attributes support comparison with a list of quoted string values.",
    ],
    [
      'experiments',
      "experiment_id = 'abc'",
      "Invalid experiment ID 'abc'. Experiment ID must be a valid integer.",
    ],
    ['experiments', "experiment_id LIKE '1'", 'Invalid comparator for experiment_id: LIKE'],
    ['runs', "metrics.acc = 'x'", "Expected numeric value type for metric. Found 'x'"],
    ['runs', "start_time = 'x'", "Expected numeric value type for numeric attribute: start_time. Found 'x'"],
    [
      'runs',
      "params.lr IN ('1')",
      "Expected a quoted string value for parameter (e.g. 'my-value'). Got value ('1')",
    ],
    [
      'runs',
      "bogus.x = '1'",
      "Invalid entity type 'bogus'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']",
    ],
    [
      'runs',
      'metrics.a IS NULL',
      "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'a'",
    ],
    ['runs', 'metrics.a LIKE 1', "Invalid comparator 'LIKE' not one of"],
    ['runs', "name.'", 'Invalid clause(s)'],
    ['registered models', "name = ('a')", "Invalid comparator for the list ('a'): =, expected IN or NOT IN"],
    ['runs', "dataset.name LIKE ('a')", "Invalid comparator for the list ('a'): LIKE"],
    ['runs', "run_name = 'a' -- b", "Invalid clause(s) in filter string: '-- b'"],
  ])('%s: %s', (subject, filter, message) => expect(() => parseFilter(subject, filter)).toThrow(message))

  it('when it is more than a database takes', () => {
    const many = Array.from({ length: 201 }, () => "name = 'a'").join(' AND ')
    expect(() => parseFilter('registered models', many)).toThrow(/201 comparisons; at most 200/)
    const list = Array.from({ length: 10_001 }, () => "'a'").join(',')
    expect(() => parseFilter('runs', `run_id IN (${list})`)).toThrow(/10001 values; at most 10000/)
    expect(() => parseFilter('runs', `tags.a LIKE '${'%'.repeat(16_001)}'`)).toThrow(
      /longer than 16000 bytes/,
    )
  })
})

describe('no filter', () => {
  const word = fc.constantFrom(
    ...[
      'name',
      'tags.a',
      'metrics.`b`',
      'params."c"',
      'dataset.name',
      'run_id',
      'version_number',
      '=',
      '!=',
      '>',
    ],
    ...[
      'LIKE',
      'IN',
      'NOT',
      'IS',
      'NULL',
      'AND',
      'OR',
      "'x'",
      '"y"',
      '1',
      '-2.5e3',
      "('a', 'b')",
      '(1)',
      '()',
      '(',
    ],
    ...[')', ';', "'", '`', '.', ',', '--', '\\', ' ', '\n', '%'],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word).map((words) => words.join(' ')),
  )
  const subject = fc.constantFrom<Subject>('registered models', 'model versions', 'experiments', 'runs')

  it('and no order fails in another way than by a refusal', () => {
    fc.assert(
      fc.property(subject, text, (which, filter) => {
        for (const parse of [() => parseFilter(which, filter), () => parseOrderBy(which, [filter])]) {
          try {
            parse()
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidInput)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['(', "'", '"', '`', "('", '--', '/*', 'a.', 'NOT ', "'\\'", '1e', '(a', 'name=1;'])(
    'costs more than its length: a million times %s',
    (part) => {
      expect(() => parseFilter('runs', part.repeat(1_000_000))).toThrow(InvalidInput)
    },
  )

  it('fills the answer with what it could not read', () => {
    const parse = () => parseFilter('runs', '( '.repeat(100))
    expect(parse).toThrow(/'\(' and 50 more$/)
  })
})

describe('an order is read', () => {
  it.each<[Subject, string[] | undefined, string]>([
    ['registered models', undefined, '+name'],
    ['registered models', ['name desc'], '-name'],
    ['registered models', ['`name` DESC'], '-name'],
    ['registered models', ['timestamp'], '+last_updated_timestamp +name'],
    ['model versions', [], '-last_updated_timestamp +name -version_number'],
    ['model versions', ['version_number ASC'], '+version_number +name'],
    ['experiments', [], '-creation_time +experiment_id'],
    ['experiments', ['name DESC'], '-name -experiment_id'],
    ['runs', [], '-start_time +run_id'],
    [
      'runs',
      ['metrics.`a b` DESC', 'params.lr', 'tags."x"'],
      '-metric:a b +param:lr +tag:x -start_time +run_id',
    ],
    ['runs', ['Created ASC'], '+start_time +run_id'],
  ])('%s: %j', (subject, items, want) => {
    const print = parseOrderBy(subject, items).map(
      ({ entity, key, ascending }) =>
        `${ascending ? '+' : '-'}${entity === 'attribute' ? '' : `${entity}:`}${key}`,
    )
    expect(print.join(' ')).toBe(want)
  })

  it.each<[Subject, string[], string]>([
    ['registered models', [''], "Invalid order_by clause ''. Could not be parsed."],
    [
      'registered models',
      ['name ASC, timestamp DESC'],
      "Invalid order_by clause 'name ASC, timestamp DESC'. Could not be parsed.",
    ],
    ['registered models', ['name sideways'], "Invalid ordering key in order_by clause 'name sideways'."],
    [
      'registered models',
      ['creation_timestamp'],
      "Invalid order by key 'creation_timestamp' specified. Valid keys are '{'name', 'timestamp'}'",
    ],
    [
      'registered models',
      ['name ASC', 'name DESC'],
      "`order_by` contains duplicate fields: ['name ASC', 'name DESC']",
    ],
    ['registered models', ['timestamp', 'last_updated_timestamp'], 'contains duplicate fields'],
    [
      'model versions',
      ['bogus'],
      "Invalid attribute key 'bogus' specified. Valid keys are '{'name', 'version_number', 'creation_timestamp', 'last_updated_timestamp'}'",
    ],
    ['experiments', ['tags.a'], 'Invalid order_by entity: tag'],
    ['runs', ['bogus'], "Invalid attribute key 'bogus' specified."],
    ['runs', ['metrics.acc foo'], "Invalid ordering key in order_by clause 'metrics.acc foo'."],
  ])('%s: %j is refused', (subject, items, message) =>
    expect(() => parseOrderBy(subject, items)).toThrow(message),
  )
})
