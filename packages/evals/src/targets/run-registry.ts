import { createRegistry, type Registry } from '@promptkeep/client'
import type { TargetSetup } from '../target.ts'

/** A run may ask for a prompt with many others; an outage is tried again by the runner. */
const TIMEOUT_MS = 10_000

/** What a target loads prompts from: each trial asks anew, and nothing but the registry answers. */
export const openRunRegistry = ({ trackingUri, env }: TargetSetup): Registry =>
  createRegistry({ trackingUri, env, strict: true, cacheTtlSeconds: 0, timeoutMs: TIMEOUT_MS })
