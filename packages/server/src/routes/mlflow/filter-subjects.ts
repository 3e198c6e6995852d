import { reprSet } from '../../python-repr.ts'
import type { Clause, Comparator, Order } from '../../store/store.ts'

/** What can be searched. Each has its own words, comparators and texts for what it refuses. */
export type Subject = 'registered models' | 'model versions' | 'experiments' | 'runs'

type Entity = Clause['entity']

export interface Attribute {
  readonly type: 'text' | 'number' | 'integer' | 'experiment id'
  /** Takes a list behind IN and NOT IN. */
  readonly list?: true
  /** A number that may stand in quotes. */
  readonly quotable?: true
  /** The name under which the store knows it. */
  readonly as?: string
}

export interface Rules {
  /** First part of `entity.key` -> entity; what has no dot is an attribute. */
  readonly entities: Readonly<Record<string, Entity>>
  readonly attributes: Readonly<Record<string, Attribute>>
  /** Entities that IS [NOT] NULL may ask about. */
  readonly nullable: readonly Entity[]
  /** Attributes (and, for runs, all but datasets) that results can be ordered by -> the store's names. */
  readonly orderable: Readonly<Record<string, string>>
  /** Without any order of the caller's. */
  readonly defaultOrder: readonly Order[]
  /** Behind the caller's order, as far as it doesn't name them. */
  readonly tieBreak: readonly Order[]
  readonly says: Texts
}

/** MLflow's words for a refusal, where they differ between subjects. */
interface Texts {
  entity(word: string): string
  orderKey(key: string): string
  invalid(clause: string): string
  text(entity: Entity, given: string): string
  isNull(entity: Entity, key: string): string
  comparator(entity: Entity, key: string, given: string): string
}

const TEXT_COMPARATORS: readonly Comparator[] = ['=', '!=', 'LIKE', 'ILIKE']
export const LIST_COMPARATORS: readonly Comparator[] = ['IN', 'NOT IN']
const NUMBER_COMPARATORS: readonly Comparator[] = ['=', '!=', '<', '<=', '>', '>=']

const attribute = (key: string, ascending: boolean): Order => ({ entity: 'attribute', key, ascending })
const same = (...keys: string[]) => Object.fromEntries(keys.map((key) => [key, key]))

const entityWord: Readonly<Record<Entity, string>> = {
  attribute: 'attribute',
  tag: 'tag',
  metric: 'metric',
  param: 'parameter',
  dataset: 'dataset',
}

const REGISTRY_ENTITIES = { attribute: 'attribute', tag: 'tag', tags: 'tag' } as const

const registryTexts = (orderKeys: readonly string[]): Texts => ({
  entity: (word) => `Invalid entity type '${word}'. Valid entity types are ('attribute', 'tag', 'tags')`,
  orderKey: (key) => `Invalid attribute key '${key}' specified. Valid keys are '${reprSet(orderKeys)}'`,
  invalid: (clause) => clause,
  text: (entity, given) =>
    entity === 'tag'
      ? `Expected a quoted string value for tag (e.g. 'my-value'). Got value ${given}`
      : `Expected a quoted string value or a list of quoted string values for attributes. Got value ${given}`,
  isNull: (entity, key) => `IS NULL and IS NOT NULL are not supported here, given for ${entity} '${key}'`,
  comparator: (entity, key, given) =>
    key === 'version_number' && entity === 'attribute'
      ? `Invalid comparator for attribute version_number: ${given}`
      : `Invalid comparator for ${entity}: ${given}`,
})

const registeredModels: Rules = {
  entities: REGISTRY_ENTITIES,
  attributes: { name: { type: 'text', list: true } },
  nullable: [],
  orderable: {
    name: 'name',
    timestamp: 'last_updated_timestamp',
    last_updated_timestamp: 'last_updated_timestamp',
  },
  defaultOrder: [],
  tieBreak: [attribute('name', true)],
  says: {
    ...registryTexts([]),
    orderKey: (key) => `Invalid order by key '${key}' specified. Valid keys are '{'name', 'timestamp'}'`,
  },
}

const versionOrder = ['name', 'version_number', 'creation_timestamp', 'last_updated_timestamp']
const modelVersions: Rules = {
  entities: REGISTRY_ENTITIES,
  attributes: {
    name: { type: 'text', list: true },
    version_number: { type: 'integer', quotable: true },
    run_id: { type: 'text', list: true },
    source_path: { type: 'text' },
  },
  nullable: [],
  orderable: same(...versionOrder),
  defaultOrder: [attribute('last_updated_timestamp', false)],
  tieBreak: [attribute('name', true), attribute('version_number', false)],
  says: registryTexts(versionOrder),
}

const experimentKeys = ['name', 'experiment_id', 'creation_time', 'last_update_time']
const experiments: Rules = {
  entities: REGISTRY_ENTITIES,
  attributes: {
    name: { type: 'text' },
    experiment_id: { type: 'experiment id', list: true },
    creation_time: { type: 'integer' },
    last_update_time: { type: 'integer' },
  },
  nullable: ['tag'],
  orderable: same(...experimentKeys),
  defaultOrder: [attribute('creation_time', false), attribute('experiment_id', true)],
  tieBreak: [attribute('experiment_id', false)],
  says: {
    ...registryTexts(experimentKeys),
    text: (entity, given) =>
      entity === 'tag'
        ? `Expected a quoted string value for tag (e.g. 'my-value'). Got value ${given}`
        : `Expected a quoted string value for attributes. Got value ${given}`,
    isNull: (_, key) => `IS NULL / IS NOT NULL is only supported for tags, not for attribute '${key}'`,
    comparator: (entity, key, given) =>
      entity === 'tag'
        ? `Invalid comparator for tag: ${given}`
        : key === 'experiment_id'
          ? `Invalid comparator for experiment_id: ${given}`
          : `Invalid comparator for ${key === 'name' ? 'string' : 'numeric'} attribute: ${given}`,
  },
}

const runKeys = ['run_id', 'run_name', 'user_id', 'status', 'start_time', 'end_time', 'artifact_uri']
const runOrder = { ...same(...runKeys), created: 'start_time', Created: 'start_time' }
const TIME: Attribute = { type: 'number' }
const START_TIME: Attribute = { type: 'number', as: 'start_time' }
const RUN_NAME: Attribute = { type: 'text', as: 'run_name' }

const runs: Rules = {
  entities: {
    ...{
      metric: 'metric',
      metrics: 'metric',
      tag: 'tag',
      tags: 'tag',
      dataset: 'dataset',
      datasets: 'dataset',
    },
    ...{ parameter: 'param', parameters: 'param', param: 'param', params: 'param' },
    ...{ attribute: 'attribute', attributes: 'attribute', attr: 'attribute', run: 'attribute' },
  },
  attributes: {
    run_id: { type: 'text', list: true },
    ...{ run_name: RUN_NAME, 'run name': RUN_NAME, 'Run name': RUN_NAME, 'Run Name': RUN_NAME },
    ...{ user_id: { type: 'text' }, status: { type: 'text' }, artifact_uri: { type: 'text' } },
    ...{ start_time: START_TIME, created: START_TIME, Created: START_TIME, end_time: TIME },
  },
  nullable: ['tag', 'param'],
  orderable: runOrder,
  defaultOrder: [],
  tieBreak: [attribute('start_time', false), attribute('run_id', true)],
  says: {
    entity: (word) =>
      `Invalid entity type '${word}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']`,
    orderKey: (key) =>
      `Invalid attribute key '${key}' specified. Valid keys are '${reprSet(Object.keys(runOrder))}'`,
    invalid: (clause) => `'${clause}'`,
    text: (entity, given) =>
      entity === 'attribute'
        ? `Expected a quoted string value for attributes. Got value ${given}`
        : entity === 'dataset'
          ? `Expected a quoted string value for dataset attributes. Got value ${given}`
          : `Expected a quoted string value for ${entityWord[entity]} (e.g. 'my-value'). Got value ${given}`,
    isNull: (entity, key) =>
      `IS NULL / IS NOT NULL is only supported for tags and params, not for '${entityWord[entity]}' '${key}'`,
    comparator: (entity, key, given) =>
      `Invalid comparator '${given}' not one of '${reprSet(comparatorsOf(runs, entity, key))}'`,
  },
}

export const RULES: Readonly<Record<Subject, Rules>> = {
  'registered models': registeredModels,
  'model versions': modelVersions,
  experiments,
  runs,
}

/** Comparators that take a value, for one key. */
export function comparatorsOf(rules: Rules, entity: Entity, key: string): readonly Comparator[] {
  if (entity === 'metric') return NUMBER_COMPARATORS
  if (entity === 'dataset') return [...TEXT_COMPARATORS, ...LIST_COMPARATORS]
  if (entity !== 'attribute') return TEXT_COMPARATORS
  const attribute = rules.attributes[key]
  if (attribute?.type === 'number' || attribute?.type === 'integer') return NUMBER_COMPARATORS
  const single = attribute?.type === 'experiment id' ? (['=', '!='] as const) : TEXT_COMPARATORS
  return attribute?.list ? [...single, ...LIST_COMPARATORS] : single
}
