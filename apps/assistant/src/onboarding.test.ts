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
    'Just answer my question, no introductions',
    'You ask too many questions',
    'stop asking me stuff',
    'Hi. Please don’t ask me any more questions. What is the weather in Oslo?',
  ])('hears it in %j', (message) => expect(wantsOnboardingToEnd(message)).toBe(true))

  it.each([
    'I have a question about taxes',
    'Do you have more questions?',
    'Help me write an introduction for my talk',
    'When does the meeting end?',
    'How do I stop a process?',
    'I skip lunch on Mondays',
    'Ask me anything',
    'Help me finish the introduction of my thesis',
    'I want to quit my intro to statistics class',
    'How do I end the introduction of my essay?',
    'Can you cancel the onboarding meeting on Friday?',
    'Remind me to finish the onboarding of Tom',
    'Stop by the introduction booth',
    "Why don't they ask me questions in interviews?",
    'Skip the introduction, then write the rest of my essay',
    '',
  ])('does not hear it in %j', (message) => expect(wantsOnboardingToEnd(message)).toBe(false))
})
