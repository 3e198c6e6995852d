/** Keys of the tags that hold a prompt on MLflow's wire, and of those that are ours (`promptkeep.*`). */
export const TAG = {
  isPrompt: 'mlflow.prompt.is_prompt',
  text: 'mlflow.prompt.text',
  type: '_mlflow_prompt_type',
  responseFormat: '_mlflow_prompt_response_format',
  modelConfig: '_mlflow_prompt_model_config',
  digest: 'promptkeep.digest',
  requestId: 'promptkeep.request_id',
  seeded: 'promptkeep.seeded',
  gitCommit: 'promptkeep.git_commit',
  /** `true`: the file differed from that commit. */
  gitDirty: 'promptkeep.git_dirty',
  sourceFile: 'promptkeep.source_file',
  /** + alias: the last move, on stock MLflow (a prompt tag). */
  movePrefix: 'promptkeep.move.',
  /** + alias: weights of the other versions (a version tag). */
  rolloutPrefix: 'promptkeep.rollout.',
} as const

/** Version tags that hold the content: they never change and are no tags to a caller. */
export const CONTENT_TAGS: ReadonlySet<string> = new Set([
  TAG.isPrompt,
  TAG.text,
  TAG.type,
  TAG.responseFormat,
  TAG.modelConfig,
])

/** Tags that the library itself sets; a caller may read them. */
export const OWN_TAGS: ReadonlySet<string> = new Set([TAG.digest, TAG.requestId, TAG.seeded])
