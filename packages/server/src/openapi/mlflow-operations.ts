import type { z } from '@hono/zod-openapi'
import {
  Done,
  DownloadUri,
  ExperimentId,
  Experiments,
  LatestVersions,
  MetricHistory,
  Models,
  OneExperiment,
  OneModel,
  OneRun,
  OneVersion,
  Runs,
  UpdatedRun,
  Versions,
} from '../routes/mlflow/answers.ts'
import type { Parameter } from './document.ts'
import { INTENT_HEADERS, MOVE_HEADERS } from './headers.ts'

export interface MlflowOperation {
  readonly summary: string
  readonly answer: z.ZodType
  /** What it says when the thing that is named is not there; absent: it names nothing. */
  readonly absent?: string
  /** What MLflow's protocol has no field for. */
  readonly headers?: readonly Parameter[]
  /** For the sample call: values of required fields that `field-texts.ts` has other examples for. */
  readonly example?: Readonly<Record<string, unknown>>
}

const noPrompt = 'There is no such prompt or model.'
const noVersion = 'There is no such version; it may have been deleted.'
const noRun = 'There is no such run.'
const noExperiment = 'There is no such experiment.'

const REGISTRY: Readonly<Record<string, MlflowOperation>> = {
  'POST /registered-models/create': {
    summary:
      'Makes a prompt (with the tag `mlflow.prompt.is_prompt` = "true") or a plain model, without versions.',
    answer: OneModel,
  },
  'GET /registered-models/get': {
    summary: 'A prompt or model with its tags, its aliases and its newest versions.',
    answer: OneModel,
    absent: noPrompt,
  },
  'PATCH /registered-models/update': {
    summary: 'Changes the description; without one it is cleared.',
    answer: OneModel,
    absent: noPrompt,
  },
  'POST /registered-models/rename': {
    summary: 'Renames it; versions, tags and aliases follow, and the change log notes it.',
    answer: OneModel,
    absent: noPrompt,
    headers: INTENT_HEADERS,
  },
  'DELETE /registered-models/delete': {
    summary: 'Deletes it with all its versions. The change log keeps what its aliases said.',
    answer: Done,
    absent: noPrompt,
    headers: INTENT_HEADERS,
  },
  'GET /registered-models/search': {
    summary: 'Prompts and models by filter. Prompts are found only by a filter that asks for them.',
    answer: Models,
  },
  'GET /registered-models/get-latest-versions': {
    summary: 'The newest version of each stage.',
    answer: LatestVersions,
    absent: noPrompt,
  },
  'POST /registered-models/get-latest-versions': {
    summary: 'The newest version of each stage; the same as GET.',
    answer: LatestVersions,
    absent: noPrompt,
  },
  'POST /registered-models/set-tag': {
    summary: 'Sets a tag of a prompt or model.',
    answer: Done,
    absent: noPrompt,
  },
  'DELETE /registered-models/delete-tag': {
    summary: 'Removes a tag; an absent one is no error.',
    answer: Done,
    absent: noPrompt,
  },
  'GET /registered-models/alias': {
    summary: 'The version that an alias says, with its text: how prompts are loaded.',
    answer: OneVersion,
    absent: noPrompt,
  },
  'POST /registered-models/alias': {
    summary: 'Points an alias at a version. Logged, and refused where the policy of the alias says so.',
    answer: Done,
    absent: noVersion,
    headers: [...MOVE_HEADERS, ...INTENT_HEADERS],
  },
  'DELETE /registered-models/alias': {
    summary: 'Removes an alias; an absent one is no error. Logged, and under the same policy as a move.',
    answer: Done,
    absent: noPrompt,
    headers: [...MOVE_HEADERS, ...INTENT_HEADERS],
  },
  'POST /model-versions/create': {
    summary: 'Registers a version. A prompt’s text is the tag `mlflow.prompt.text`; it never changes.',
    answer: OneVersion,
    absent: noPrompt,
    example: {
      source: 'prompt-template',
      tags: [
        { key: 'mlflow.prompt.is_prompt', value: 'true' },
        { key: 'mlflow.prompt.text', value: 'Hello {{ name }}' },
      ],
    },
  },
  'GET /model-versions/get': { summary: 'One version with its text.', answer: OneVersion, absent: noVersion },
  'PATCH /model-versions/update': {
    summary: 'Changes the commit message; without one it is removed.',
    answer: OneVersion,
    absent: noVersion,
    headers: INTENT_HEADERS,
  },
  'DELETE /model-versions/delete': {
    summary: 'Deletes a version and the aliases that say it; its number is never used again.',
    answer: Done,
    absent: noVersion,
    headers: INTENT_HEADERS,
  },
  'GET /model-versions/search': {
    summary: 'Versions by filter. Those of prompts are found only by a filter that asks for them.',
    answer: Versions,
  },
  'GET /model-versions/get-download-uri': {
    summary: 'Where the files of a plain model’s version are.',
    answer: DownloadUri,
    absent: noVersion,
  },
  'POST /model-versions/transition-stage': {
    summary: 'Moves a plain model’s version to a stage.',
    answer: OneVersion,
    absent: noVersion,
  },
  'POST /model-versions/set-tag': {
    summary: 'Sets a free tag of a version; tags that hold content never change.',
    answer: Done,
    absent: noVersion,
    headers: INTENT_HEADERS,
  },
  'DELETE /model-versions/delete-tag': {
    summary: 'Removes a free tag of a version; an absent one is no error.',
    answer: Done,
    absent: noVersion,
    headers: INTENT_HEADERS,
  },
}

const TRACKING: Readonly<Record<string, MlflowOperation>> = {
  'POST /experiments/create': {
    summary: 'Makes an experiment: the folder of eval runs.',
    answer: ExperimentId,
    example: { name: 'evals' },
  },
  'GET /experiments/get': { summary: 'An experiment by id.', answer: OneExperiment, absent: noExperiment },
  'GET /experiments/get-by-name': {
    summary: 'An experiment by name.',
    answer: OneExperiment,
    absent: noExperiment,
  },
  'GET /experiments/search': { summary: 'Experiments by filter.', answer: Experiments },
  'POST /experiments/search': { summary: 'Experiments by filter; the same as GET.', answer: Experiments },
  'POST /runs/create': {
    summary: 'Starts a run. One without a name gets one.',
    answer: OneRun,
    absent: noExperiment,
    example: { experiment_id: '1' },
  },
  'GET /runs/get': { summary: 'A run with its metrics, params and tags.', answer: OneRun, absent: noRun },
  'POST /runs/update': {
    summary: 'Changes status, end or name of a run; ends it with status FINISHED.',
    answer: UpdatedRun,
    absent: noRun,
  },
  'POST /runs/log-metric': {
    summary: 'Logs one metric.',
    answer: Done,
    absent: noRun,
    example: { value: 0.92 },
  },
  'POST /runs/log-parameter': {
    summary: 'Logs one param; its value never changes.',
    answer: Done,
    absent: noRun,
  },
  'POST /runs/set-tag': { summary: 'Sets a tag of a run.', answer: Done, absent: noRun },
  'POST /runs/log-batch': {
    summary: 'Logs up to 1,000 metrics, 100 params and 100 tags, 1,000 in all: either all or none.',
    answer: Done,
    absent: noRun,
  },
  'POST /runs/search': {
    summary: 'Runs of experiments, by filter.',
    answer: Runs,
    example: { experiment_ids: ['1'] },
  },
  'GET /metrics/get-history': {
    summary: 'Every point of one metric of a run, by time. A run that is not there has none.',
    answer: MetricHistory,
  },
}

/** What a route does and answers, by `METHOD /path` below MLflow's base. Its request comes from its `Fields`. */
export const MLFLOW_OPERATIONS: Readonly<Record<string, MlflowOperation>> = { ...REGISTRY, ...TRACKING }
