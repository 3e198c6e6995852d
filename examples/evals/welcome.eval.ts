// A suite in TypeScript: `promptkeep eval examples/evals/welcome.eval.ts`, or examples/eval.ts.
import { defineEval } from '@promptkeep/evals'

export const welcome = defineEval({
  name: 'welcome',
  data: [
    { id: 'ada', input: 'Ada', expected: { contains: ['Ada'], words: 2 } },
    { id: 'grace', input: 'Grace', expected: { contains: ['Grace'], words: 2 } },
  ],
  // Loaded through the run's alias chain, and noted as used. Ask your model here.
  async task({ input = '' }, { prompt }) {
    const greeting = await prompt('welcome')
    return String(greeting.format({ name: input }))
  },
  scorers: [
    'contains',
    {
      name: 'brevity',
      score({ output, expected }) {
        const words = output.split(' ').length
        return { score: words <= (expected?.words ?? 5) ? 1 : 0, reason: `${words} words` }
      },
    },
  ],
  threshold: 1,
})
