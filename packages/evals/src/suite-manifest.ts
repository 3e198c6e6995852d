import { z } from 'zod'

const SLUG = /^[a-z0-9]+(-[a-z0-9]+)*$/
/** What a gate's metric looks like; which there are, the suite's scorers say. */
const METRIC = '^(pass_rate|score\\.[A-Za-z0-9_-]{1,100})$'

const metric = z
  .string()
  .meta({ pattern: METRIC })
  .describe('pass_rate, or score.<name of a scorer>: its mean')
const direction = z
  .enum(['higher', 'lower'])
  .default('higher')
  .describe('higher: at or above the threshold passes; lower: at or below it')
const margin = z
  .number()
  .gt(0)
  .lt(1)
  .default(0.1)
  .describe('How much worse than the baseline is still good enough')

/** What a suite says in YAML and in TypeScript alike. */
export const COMMON = {
  name: z
    .string()
    .regex(SLUG, 'must be lower-case letters, digits and single hyphens')
    .max(64)
    .describe('Lower-case letters, digits, single hyphens. Runs are compared by it'),
  description: z.string().optional().describe('For people'),
  metric: metric.default('pass_rate'),
  direction,
  threshold: z.number().min(0).max(1).optional().describe('Of one gate; for several write gates instead'),
  margin,
  gates: z
    .array(z.strictObject({ metric, direction, threshold: z.number().min(0).max(1), margin }))
    .min(1)
    .optional()
    .describe('Several gates instead of metric, direction, threshold and margin; the first is the main one'),
  hard: z.array(z.string()).default([]).describe('Scorers that tolerate no miss: one fails the run'),
  estimand: z
    .enum(['these-cases', 'such-cases'])
    .default('such-cases')
    .describe('these-cases: the cases are all there is; such-cases: they are a sample of more'),
  deterministic: z.boolean().default(false).describe('Suite and target always answer the same'),
  core: z.boolean().default(false).describe('It judges every candidate: watch runs it, promote asks for it'),
  trials: z.int().min(1).max(100).default(1).describe('How often each case is run'),
  retries: z.int().min(0).max(10).default(2).describe('How often an infrastructure error is tried again'),
  concurrency: z.int().min(1).max(64).default(4).describe('Trials at once'),
} as const

/** Where a template's variable gets its value: `input`, `context.city`, or deeper. */
const PLACE = /^(input|context(\.[^.]+)+)$/

/** A prompt of the registry that is asked by itself. */
export const PromptTarget = z.strictObject({
  prompt: z
    .string()
    .min(1)
    .describe("A prompt of the registry, by its name; the version is what the run's alias says"),
  model: z.string().min(1).optional().describe("In place of the prompt's own; --model comes before both"),
  variables: z
    .record(
      z.string().min(1),
      z.string().regex(PLACE, "must be input, or a place in the case's context such as context.city"),
    )
    .optional()
    .describe('Variable of the template -> where a case has its value'),
})
export type PromptTarget = z.infer<typeof PromptTarget>

/** A suite's manifest as it is written. Keys are snake_case, as in a prompt's front matter. */
export const Manifest = z.strictObject({
  $schema: z.string().optional().describe('For editors; this package does not read it'),
  ...COMMON,
  dataset: z.string().min(1).describe('A file of cases: .yaml, .json, .jsonl or .csv; from this file'),
  target: z
    .union([z.string().min(1), PromptTarget], 'must be file.ts#name, an http address, or { prompt: name }')
    .describe('What is judged: file.ts#name, an http address, or { prompt: name }'),
  scorers: z
    .array(z.union([z.string(), z.record(z.string(), z.unknown())]))
    .min(1)
    .describe('How answers are judged: a case passes when each of them gives it 1'),
  timeout_seconds: z.number().positive().max(3600).default(60).describe('For one trial'),
  prices: z
    .strictObject({
      input_per_million: z.number().min(0).describe('US dollars'),
      output_per_million: z.number().min(0).describe('US dollars'),
    })
    .optional()
    .describe('Of tokens; without them the cost of a run is unknown'),
})
