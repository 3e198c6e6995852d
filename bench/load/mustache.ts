import Mustache from 'mustache'
import { charactersOf, nanoseconds, TEMPLATE, VALUES } from './protocol.ts'
import { serve } from './serve.ts'

/** A renderer only. It keeps a template that it parsed; the first call is not measured. */
const render = (values: object | undefined) => Mustache.render(TEMPLATE, values)
render(VALUES[0])

await serve(
  {
    load: () => Promise.reject(new Error('it loads nothing')),
    rounds: {
      render(calls) {
        let sum = 0
        const start = process.hrtime.bigint()
        for (let i = 0; i < calls; i += 1) sum += charactersOf(render(VALUES[i % 16]))
        return sum === 0 ? Number.NaN : nanoseconds(start, calls)
      },
    },
  },
  { count: 0 },
)
