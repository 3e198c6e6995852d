/** A user is new until so many of their messages were answered, or they say that they want no introductions. */
export const ONBOARDING_MESSAGES = 5

const ASKED = '(?:the|this|these|those|any|your|all|of|with|more|so|too|many|that|personal)'
const START = '(?:skip|stop|end|quit|cancel|no more|no|enough|leave out|without)'

/**
 * Explicit wishes to end onboarding, in English, each a whole sentence. Anything subtler is for
 * `POST /onboarding/end`: a guess that is wrong would end it for good.
 */
const SENTENCES = [
  new RegExp(
    `^(?:${START}|finish)(?: ${ASKED})* (?:onboarding|getting[- ]to[- ]know(?:[- ](?:you|me|each other))?)$`,
  ),
  new RegExp(`^${START}(?: ${ASKED})* (?:introductions|intros)$`),
  new RegExp(
    `^(?:you can )?(?:stop|quit|no more|enough|don't|do not|without)(?: with)? ask(?:ing)?(?: me)?(?: ${ASKED})* (?:questions|stuff|things)(?: about (?:me|myself))?$`,
  ),
  new RegExp(`^(?:no more|enough|stop|too many|skip)(?: ${ASKED})* questions(?: about me)?$`),
  /^you(?:'re| are)? (?:just )?ask(?:ing)?(?: me)?(?: way)? (?:too|so) many questions$/,
]

/** Within a text these may be about somebody's essay; alone they are about us. */
const WHOLE_MESSAGES = [new RegExp(`^(?:skip|stop|end|quit|cancel|no)(?: ${ASKED})* (?:introduction|intro)$`)]

const OPENING =
  /^(?:please|just|ok|okay|hey|hi|and|but|so|can we|could we|can you|could you|let's|let us|we can|i want to|i'd like to)\s+/
const ENDING = /\s+(?:please|now|already|for now|thanks|thank you)$/
/** What may stand beside a wish in its sentence. */
const ASIDE = /^(?:(?:please |and )?just |(?:please|thanks|thank you|ok|okay|hey|hi|hello|no|yes)$)/

/** Whether a message says in so many words that the user wants no more introductions. */
export function wantsOnboardingToEnd(message: string): boolean {
  const text = message.toLowerCase().replaceAll('’', "'")
  const sentences = text.split(/[.!?;\n]+/).filter((sentence) => sentence.trim() !== '')
  const isAlone = sentences.length === 1
  return sentences.some((sentence) => {
    const parts = sentence.split(',').map((part) => part.trim())
    const isWish = (part: string) =>
      matches(SENTENCES, bare(part)) || (isAlone && matches(WHOLE_MESSAGES, bare(part)))
    return parts.some(isWish) && parts.every((part) => isWish(part) || ASIDE.test(part))
  })
}

const matches = (patterns: readonly RegExp[], text: string) => patterns.some((pattern) => pattern.test(text))

/** Without the words of courtesy around it. */
function bare(part: string): string {
  const shorter = part.replace(/\s+/g, ' ').trim().replace(OPENING, '').replace(ENDING, '')
  return shorter === part ? part : bare(shorter)
}
