import type { Lineage } from '@promptkeep/client'

/** What a scorer may ask of the world. A run makes it once. */
export interface ScorerServices {
  readonly judge?: Judge | undefined
}

/** A model that gives its opinion of an answer, by a prompt that comes from the registry. */
export interface Judge {
  /** The model that is asked, by its whole name: no other's answer counts. */
  readonly model: string
  /** The prompts that it was asked with so far, with version and digest: part of the run's record. */
  prompts(): Readonly<Record<string, Lineage>>
  /** What it was asked and answered so far, opinions that came to nothing included. */
  usage(): JudgeUsage
  /**
   * Loads prompts before they are needed, so that one that is missing is said before anything runs.
   * @throws {EvalFailure}
   */
  load(prompts: readonly string[]): Promise<void>
  /**
   * @throws {EvalFailure} whatever kept it from an opinion: then there is no score. `INFRASTRUCTURE` may be another time;
   *   `CONFIGURATION` will not; `INTERRUPTED` when the run was given up
   */
  ask(question: JudgeQuestion): Promise<JudgeOpinion>
}

export interface JudgeQuestion {
  /** Name of the judge's prompt in the registry. */
  readonly prompt: string
  readonly rubric: string
  readonly input: string
  readonly output: string
  readonly expected?: string | undefined
  /** The whole conversation, when it is judged and not the last answer alone. */
  readonly messages?: readonly { readonly role: string; readonly content: string }[] | undefined
  /** What it may answer, and what each is worth, 0…1; a number from 0 to 1 when absent. */
  readonly grades?: Readonly<Record<string, number>> | undefined
  /** Independent opinions, at least 2. */
  readonly draws: number
}

export interface JudgeOpinion {
  /** 0…1, the mean of the draws. */
  readonly score: number
  /** The one of the lowest draw: what was missing. */
  readonly reason: string
  /** Each draw's own score. */
  readonly draws: readonly number[]
  /** 1 less the widest distance between two draws. */
  readonly agreement: number
  readonly usage: JudgeUsage
}

export interface JudgeUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly requests: number
}
