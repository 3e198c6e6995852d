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
  sourceFile: 'promptkeep.source_file',
  /** + alias: the last move, on stock MLflow (a prompt tag). */
  movePrefix: 'promptkeep.move.',
  /** + alias: weights of the other versions (a version tag). */
  rolloutPrefix: 'promptkeep.rollout.',
} as const
