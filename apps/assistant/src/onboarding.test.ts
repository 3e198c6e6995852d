import { describe, expect, it } from 'vitest'
import { wantsOnboardingToEnd } from './onboarding.ts'

describe('wantsOnboardingToEnd', () => {
  it.each([
    "Let's skip the onboarding",
    'skip the introductions please',
    'Please stop asking me questions.',
    'No more questions!',
    'enough questions, just help me',
    "don't ask me so many questions",
    'Can we end this onboarding now?',
    'Stop the intro',
  ])('hears it in %j', (message) => expect(wantsOnboardingToEnd(message)).toBe(true))

  it.each([
    'I have a question about taxes',
    'Do you have more questions?',
    'Help me write an introduction for my talk',
    'When does the meeting end?',
    'How do I stop a process?',
    'I skip lunch on Mondays',
    'Ask me anything',
    '',
  ])('does not hear it in %j', (message) => expect(wantsOnboardingToEnd(message)).toBe(false))
})
