import { InvalidInput } from '@promptkeep/client/protocol'
import { reprFloat, reprList } from '../../python-repr.ts'
import type { Metric, RunData } from '../../store/store.ts'
import { atMostLong, tagKey } from './rules.ts'

/*
 * What MLflow's server demands of experiments and of what is logged to runs, in its words. Long values of tags and
 * params are cut, not refused: so does MLflow, and a run is not lost for a long note.
 */

const MAX_KEY = 250
const MAX_TAG = 8_000
const MAX_PARAM = 6_000
const MAX_EXPERIMENT_NAME = 500
const MAX_EXPERIMENT_TAG = 20_000
const MAX_LOCATION = 2_048

type Pair = RunData['params'][number]

/** @throws {InvalidInput} */
export const experimentName = (name: string): string => atMostLong('name', MAX_EXPERIMENT_NAME, name)

/** @throws {InvalidInput} */
export function experimentTag(tag: Pair): Pair {
  const { key, value } = tag
  atMostLong('key', MAX_KEY, tagKey(key))
  atMostLong('value', MAX_EXPERIMENT_TAG, value)
  return tag
}

/** @throws {InvalidInput} */
export function artifactLocation(location: string): string {
  if (/#.|;./su.test(location))
    throw new InvalidInput("'artifact_location' URL can't include fragments or params.")
  if (location.startsWith('runs:'))
    throw new InvalidInput(`Artifact location cannot be a runs:/ URI. Given: '${location}'`)
  if (location.length > MAX_LOCATION)
    throw new InvalidInput(
      `Invalid artifact path length. The length of the artifact path cannot be greater than ${MAX_LOCATION} characters.`,
    )
  return location
}

/** @param path - Where the tag stands in the request: '' or `tags[0].`. @throws {InvalidInput} */
export function runTag({ key, value }: Pair, path = ''): Pair {
  const field = `${path}key`
  return { key: atMostLong(field, MAX_KEY, tagKey(key, field)), value: cut(value, MAX_TAG) }
}

/** @throws {InvalidInput} */
export function runParam({ key, value }: Pair, path = ''): Pair {
  return { key: atMostLong('Param key', MAX_KEY, tagKey(key, `${path}key`)), value: cut(value, MAX_PARAM) }
}

/** @throws {InvalidInput} */
export function runMetric(metric: Metric, path = ''): Metric {
  const { key, value, timestamp } = metric
  tagKey(key, `${path}name`)
  if (timestamp < 0)
    throw new InvalidInput(
      `Invalid value ${timestamp} for parameter '${path}timestamp' supplied: metric '${key}' ` +
        `(value=${reprFloat(value)}). Timestamp must be a nonnegative long (64-bit integer) `,
    )
  atMostLong('Metric name', MAX_KEY, key)
  return metric
}

/** A whole `log-batch`. @throws {InvalidInput} */
export function runBatch({ metrics, params, tags }: RunData): RunData {
  const batch = {
    metrics: metrics.map((metric, index) => runMetric(metric, `metrics[${index}].`)),
    params: params.map((param, index) => runParam(param, `params[${index}].`)),
    tags: tags.map((tag, index) => runTag(tag, `tags[${index}].`)),
  }
  atMostInBatch('metrics', 1000, metrics.length)
  atMostInBatch('params', 100, params.length)
  atMostInBatch('tags', 100, tags.length)
  atMostInBatch('metrics, params, and tags', 1000, metrics.length + params.length + tags.length)
  const keys = params.map(({ key }) => key)
  const twice = keys.filter((key, index) => keys.indexOf(key) < index)
  if (twice.length > 0)
    throw new InvalidInput(
      `Duplicate parameter keys have been submitted: ${reprList(twice)}. Please ensure the request contains only ` +
        'one param value per param key.',
    )
  return batch
}

function atMostInBatch(what: string, limit: number, given: number): void {
  if (given <= limit) return
  throw new InvalidInput(
    `A batch logging request can contain at most ${limit} ${what}. Got ${given} ${what}. Please split up ${what} ` +
      'across multiple requests and try again.',
  )
}

/** Counted in characters, as Python does. */
function cut(text: string, limit: number): string {
  return text.length <= limit ? text : [...text].slice(0, limit).join('')
}
