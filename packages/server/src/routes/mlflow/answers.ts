import { z } from '@hono/zod-openapi'

/*
 * What MLflow's routes answer: the one description of what `wire.ts` and `run-wire.ts` print, for their types and for
 * the OpenAPI document. Empty lists are left out.
 */

const text = z.string()
const millis = z.int().openapi({ description: 'milliseconds since 1970' })
const listOf = <S extends z.ZodType>(schema: S) => z.array(schema).readonly().optional()

const Pair = z.object({ key: text, value: text }).openapi('Pair')

export const WireVersion = z
  .object({
    name: text,
    version: text.openapi({ description: 'its number, as text', examples: ['3'] }),
    creation_timestamp: millis,
    last_updated_timestamp: millis,
    current_stage: text.openapi({
      description: 'None, Staging, Production or Archived; of plain models only',
    }),
    description: text.optional().openapi({ description: 'the commit message' }),
    source: text,
    run_id: text,
    status: z.literal('READY'),
    tags: listOf(Pair).openapi({ description: 'a prompt’s text is the tag `mlflow.prompt.text`' }),
    run_link: text,
    aliases: listOf(text),
  })
  .openapi('ModelVersion')

export const WireModel = z
  .object({
    name: text,
    creation_timestamp: millis,
    last_updated_timestamp: millis,
    description: text.optional(),
    latest_versions: listOf(WireVersion).openapi({ description: 'the newest version of each stage' }),
    tags: listOf(Pair),
    aliases: listOf(z.object({ alias: text, version: text })),
  })
  .openapi('RegisteredModel')

export const WireExperiment = z
  .object({
    experiment_id: text,
    name: text,
    artifact_location: text,
    lifecycle_stage: z.enum(['active', 'deleted']),
    last_update_time: millis,
    creation_time: millis,
    tags: listOf(Pair),
    workspace: z.literal('default'),
  })
  .openapi('Experiment')

export const WireRunInfo = z
  .object({
    run_uuid: text.openapi({ description: 'the same as `run_id`' }),
    experiment_id: text,
    run_name: text,
    user_id: text,
    status: z.enum(['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED']),
    start_time: millis,
    end_time: millis.optional(),
    artifact_uri: text,
    lifecycle_stage: z.enum(['active', 'deleted']),
    run_id: text,
  })
  .openapi('RunInfo')

export const WireMetric = z
  .object({
    key: text,
    value: z.union([z.number(), z.literal('NaN')]),
    timestamp: millis,
    step: z.int(),
  })
  .openapi('Metric')

export const WireRun = z
  .object({
    info: WireRunInfo,
    data: z.object({ metrics: listOf(WireMetric), params: listOf(Pair), tags: listOf(Pair) }),
    inputs: z.object({}),
    outputs: z.object({}).optional(),
  })
  .openapi('Run')

const nextPage = {
  next_page_token: text.optional().openapi({ description: 'absent on the last page' }),
}
export const Done = z.object({}).openapi({ description: 'nothing but success' })
export const OneModel = z.object({ registered_model: WireModel })
export const OneVersion = z.object({ model_version: WireVersion })
export const Models = z.object({ registered_models: listOf(WireModel), ...nextPage })
export const LatestVersions = z.object({ model_versions: listOf(WireVersion) })
export const Versions = z.object({ model_versions: listOf(WireVersion), ...nextPage })
export const DownloadUri = z.object({ artifact_uri: text })
export const ExperimentId = z.object({ experiment_id: text })
export const OneExperiment = z.object({ experiment: WireExperiment })
export const Experiments = z.object({ experiments: listOf(WireExperiment), ...nextPage })
export const OneRun = z.object({ run: WireRun })
export const UpdatedRun = z.object({ run_info: WireRunInfo })
export const Runs = z.object({ runs: listOf(WireRun), ...nextPage })
export const MetricHistory = z.object({
  metrics: listOf(WireMetric).openapi({ description: 'by time, then by step, then by value' }),
  ...nextPage,
})
