import type { ModelReply, RecordedRequest, Respond } from './model-endpoint.ts'

/** A reply, or a function that makes one from the request it answers. */
export type Step = ModelReply | ((request: RecordedRequest) => ModelReply)

export interface Script {
  readonly respond: Respond
  /** Steps that no request has taken: a test that ends with some did not do what it says. */
  remaining(): number
}

/** Answers request by request from a list; one request too many is an error that says which. */
export function createScript(steps: readonly Step[]): Script {
  let next = 0
  return {
    respond(request) {
      const step = steps[next]
      next += 1
      if (step === undefined) {
        const last = request.body.messages.at(-1)
        return {
          status: 400,
          message: `The script has ${steps.length} steps; request ${next} ends with ${JSON.stringify(last)}`,
        }
      }
      return typeof step === 'function' ? step(request) : step
    },
    remaining: () => Math.max(0, steps.length - next),
  }
}
