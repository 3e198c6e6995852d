import type { z } from '@hono/zod-openapi'
import type { Experiment, Metric, Run } from '../../store/store.ts'
import type { WireExperiment, WireMetric, WireRun, WireRunInfo } from './answers.ts'
import { listed, pairs } from './wire.ts'

/*
 * Experiments and runs as MLflow's protobuf JSON prints them.
 */

export const wireExperiment = (experiment: Experiment): z.infer<typeof WireExperiment> => ({
  experiment_id: experiment.id,
  name: experiment.name,
  artifact_location: experiment.artifactLocation,
  lifecycle_stage: experiment.stage,
  last_update_time: experiment.updatedAt,
  creation_time: experiment.createdAt,
  ...listed('tags', pairs(experiment.tags)),
  workspace: 'default',
})

export const wireRunInfo = (run: Run): z.infer<typeof WireRunInfo> => ({
  run_uuid: run.id,
  experiment_id: run.experimentId,
  run_name: run.name,
  user_id: run.userId,
  status: run.status,
  start_time: run.startTime,
  ...(run.endTime === undefined ? {} : { end_time: run.endTime }),
  artifact_uri: run.artifactUri,
  lifecycle_stage: run.stage,
  run_id: run.id,
})

/** A run with its data. A run just made has no `outputs` yet, in MLflow's answer too. */
export const wireRun = (run: Run): z.infer<typeof WireRun> => ({
  info: wireRunInfo(run),
  data: {
    ...listed('metrics', run.metrics.map(wireMetric)),
    ...listed('params', pairs(run.params)),
    ...listed('tags', pairs(run.tags)),
  },
  inputs: {},
})

export const wireMetric = ({ key, value, timestamp, step }: Metric): z.infer<typeof WireMetric> => ({
  key,
  // JSON has no NaN; an infinite value was stored as the largest number.
  value: Number.isNaN(value) ? 'NaN' : value,
  timestamp,
  step,
})
