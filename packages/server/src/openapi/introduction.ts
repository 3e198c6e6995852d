/** What holds for every route; paragraphs, with `code` as the only markup. */
export const INTRODUCTION = [
  'A prompt registry that speaks MLflow’s protocol, and adds what it has no call for. Our own routes are under `/api/promptkeep/1.0`; MLflow’s are under `/api/2.0/mlflow`, and the same again under `/ajax-api/2.0/mlflow`.',
  'Bodies are JSON in UTF-8. Times are milliseconds since 1970. Version numbers are numbers on our own routes and texts on MLflow’s. Unknown fields are ignored. MLflow’s routes also read camelCase names and numbers as texts, and a body may have 4 MB; on our own 1 MB.',
  'While the server has no token, everybody may do everything, and it listens on this machine only. From the first token on, every call needs one: `Authorization: Bearer <token>`, or Basic with the token as the password. Each route says which roles may call it.',
  'An error has MLflow’s body: `error_code` for programs, `message` for people. It says which field, what was given and what is allowed, and nothing is stored. Send `X-Correlation-Id` to find a request in the server’s log.',
].join('\n\n')
