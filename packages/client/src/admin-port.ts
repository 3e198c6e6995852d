import type { Fleet, FleetQuery } from './admin-fleet.ts'
import type { Identity, MadeToken, Policy, Resolution, Token } from './admin-wire.ts'
import type { LogEvent } from './follow-changes.ts'
import type { Env } from './platform.ts'
import type { Role } from './roles.ts'
import type { Capabilities, Change, ChangeKind, Page, PageRequest, RequestOptions } from './transport.ts'

export interface AdminOptions {
  /** Default: `MLFLOW_TRACKING_URI`, then `http://127.0.0.1:5055`. Our server; of a stock MLflow server see each method. */
  readonly trackingUri?: string
  /** Longest wait for one call in milliseconds, retries included. Default 10 000. */
  readonly timeoutMs?: number
  /** Credentials are read from here, as MLflow's own clients read them. Default `process.env` where there is one. */
  readonly env?: Env
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** 0 ≤ n < 1, for jitter. */
  readonly random?: () => number
  /** A new id for each call that must have its effect once. Default: a random UUID. */
  readonly newId?: () => string
}

/** Absent: whatever it is. `since` and `until` are milliseconds since the epoch, both included. */
export interface ChangeFilter extends PageRequest {
  /** Changes under one name, with those from before it was renamed to it. */
  readonly prompt?: string | undefined
  readonly kinds?: readonly ChangeKind[] | undefined
  readonly alias?: string | undefined
  /** Name of the token that made it. */
  readonly actor?: string | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
}

export interface ResolveQuery {
  /** One alias or a chain: the first that a prompt has answers. Default `production`. */
  readonly alias?: string | readonly string[] | undefined
  /** What they said then, in milliseconds since the epoch. Default: now. */
  readonly at?: number | undefined
}

export interface Rollback {
  readonly name: string
  /** Default: the alias of the row `toSeq` when that is about one, else `production`. */
  readonly alias?: string | undefined
  /** The row of the log whose state comes back. Default: the state before the alias's last change. */
  readonly toSeq?: number | undefined
  readonly reason: string
  /** The version that the caller believes is current, `null` for "unset"; absent = do not compare. */
  readonly expected?: number | null | undefined
  /** Against the alias's policy; needs an admin, and the changes are marked `forced`. */
  readonly force?: boolean | undefined
}

export interface Rollout {
  readonly name: string
  /** Default `production`. */
  readonly alias?: string | undefined
  /**
   * Share of each version in percent, above 0 and with at most two decimals; they sum to 100. One version with 100 ends the
   * rollout. Versions that are not named get nothing.
   */
  readonly weights: Readonly<Record<number, number>> | ReadonlyMap<number, number>
  readonly reason?: string | undefined
  /** Where the rollout ends at another version and the alias's policy asks for it: as `AliasMove.evidence`. */
  readonly evidence?: string | undefined
  /** The version that the caller believes is current, `null` for "unset"; absent = do not compare. */
  readonly expected?: number | null | undefined
  /** Against the alias's policy; needs an admin and a reason, and the changes are marked `forced`. */
  readonly force?: boolean | undefined
}

/**
 * Every method rejects with a `RegistryError`: `UNAUTHENTICATED`, `FORBIDDEN` with the role or the clause that is
 * missing, `INVALID_INPUT` (also for what a stock MLflow server does not have), absence, `CONFLICT`, or an outage.
 */
export interface Admin {
  /** Where it asks: never holds credentials. */
  readonly address: string
  /** Asked once, and remembered while the server answers. */
  capabilities(limits?: RequestOptions): Promise<Capabilities>
  whoami(limits?: RequestOptions): Promise<Identity>
  /** The log, newest first. On stock MLflow: the last move of each alias, as far as it was recorded, on one page. */
  changes(filter?: ChangeFilter, limits?: RequestOptions): Promise<Page<Change>>
  /**
   * The log from now on (or after a `seq`), as it is written, until the signal is aborted. It resumes by itself; what
   * it rejects with is a first connection that fails, or a refusal.
   */
  follow(options: {
    readonly signal: AbortSignal
    readonly after?: number | undefined
  }): AsyncGenerator<LogEvent>
  /** Many prompts in one answer, as of one change of the log. On stock MLflow: one by one, and never of the past. */
  resolve(names: readonly string[], query?: ResolveQuery, limits?: RequestOptions): Promise<Resolution>
  /**
   * Brings back what an alias said: its version and its rollout, as one or more changes. A retry inside is the same
   * rollback. On stock MLflow: the version before the last move that is recorded. @throws {Conflict}
   */
  rollback(rollback: Rollback, limits?: RequestOptions): Promise<readonly Change[]>
  /**
   * Sets, changes or ends how an alias is shared among versions. The alias stays where it is when that is one of them; else
   * it is pointed at the largest share, of equal ones at the lowest version. Every version must be there and have a text:
   * that is checked before anything is written. A retry inside is the same rollout.
   *
   * On stock MLflow: tags and the alias, one after the other, in an order in which no reader gets what was not asked for.
   * @returns The changes in their order; none where the alias says that already. @throws {Conflict}
   */
  rollout(rollout: Rollout, limits?: RequestOptions): Promise<readonly Change[]>
  /** What runs where, as instances that follow report it. Refused on stock MLflow. */
  fleet(query?: FleetQuery, limits?: RequestOptions): Promise<Fleet>
  readonly tokens: {
    /** Never sent twice: when the answer is lost, `list` tells whether it was made. */
    create(
      draft: {
        readonly name: string
        readonly roles: readonly Role[]
        readonly expiresInSeconds?: number | undefined
      },
      limits?: RequestOptions,
    ): Promise<MadeToken>
    /** Oldest first, with those that are revoked or expired. */
    list(limits?: RequestOptions): Promise<readonly Token[]>
    /**
     * By id or name, for ever; a second time changes nothing.
     * @param options.force - Also the last admin token that is valid: nobody makes another by the API after that.
     */
    revoke(
      idOrName: string,
      options?: { readonly force?: boolean | undefined },
      limits?: RequestOptions,
    ): Promise<Token>
  }
  readonly policies: {
    list(limits?: RequestOptions): Promise<readonly Policy[]>
    /** Replaces the alias's whole policy. Default: writers, promoters and admins may move it, and nothing is required. */
    set(
      policy: {
        readonly alias: string
        readonly roles?: readonly Role[] | undefined
        readonly reasonRequired?: boolean | undefined
        readonly evidenceRequired?: boolean | undefined
        readonly maxAgeSeconds?: number | undefined
      },
      limits?: RequestOptions,
    ): Promise<Policy>
    /** @returns whether there was one */
    remove(alias: string, limits?: RequestOptions): Promise<boolean>
  }
}
