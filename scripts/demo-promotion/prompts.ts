const FACTS = {
  refund: 'You have 30 days for a refund.',
  shipping: 'It takes three working days.',
  returns: 'We send you a free label.',
  warranty: 'It is covered for two years.',
  invoice: 'The invoice comes by mail.',
  opening: 'We are here from nine to six.',
}

const prompt = (tone: string, without?: string): string =>
  [
    `You answer customers. ${tone}`,
    ...Object.entries(FACTS).flatMap(([topic, fact]) =>
      topic === without ? [] : [`About ${topic}: ${fact}`],
    ),
  ].join('\n')

/** The versions of the prompt `support`, from 1. */
export const VERSIONS = [
  prompt('Be brief.'),
  prompt('Be brief, and warm.'),
  prompt('Be brief, warm, and never long.', 'refund'),
  prompt('Be brief, warm, and say thank you.'),
]
