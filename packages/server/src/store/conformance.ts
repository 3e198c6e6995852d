import { describe } from 'vitest'
import { describeAliases } from './conformance/aliases.ts'
import { describeChanges } from './conformance/changes.ts'
import { describeConcurrency } from './conformance/concurrency.ts'
import { describeEvidence } from './conformance/evidence.ts'
import { describeFleet } from './conformance/fleet.ts'
import { describeGuardedChanges } from './conformance/guarded-changes.ts'
import { describeHistory } from './conformance/history.ts'
import { describePolicies } from './conformance/policies.ts'
import { describePrompts } from './conformance/prompts.ts'
import { describeRollback } from './conformance/rollback.ts'
import { describeRollout } from './conformance/rollout.ts'
import { describeSeeding } from './conformance/seeding.ts'
import type { OpenStore } from './conformance/support.ts'
import { describeTokens } from './conformance/tokens.ts'
import { describeVersionTags } from './conformance/version-tags.ts'
import { describeVersions } from './conformance/versions.ts'

/**
 * The contract of `Store` for prompts, versions, aliases and the log, as tests. A new database is done when this
 * passes with no test of its own.
 *
 * @param open - An empty store with these options.
 * @param skip - Why these tests cannot run here; '' where they can.
 */
export function describeStore(name: string, open: OpenStore, skip = '') {
  describe.skipIf(skip)(`store: ${name} ${skip}`.trim(), () => {
    describePrompts(open)
    describeVersions(open)
    describeVersionTags(open)
    describeAliases(open)
    describeSeeding(open)
    describePolicies(open)
    describeEvidence(open)
    describeGuardedChanges(open)
    describeChanges(open)
    describeHistory(open)
    describeRollback(open)
    describeRollout(open)
    describeConcurrency(open)
    describeTokens(open)
    describeFleet(open)
  })
}
