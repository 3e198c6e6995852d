/** A user is new until they have sent this many messages, or say that they want no introductions. */
export const ONBOARDING_MESSAGES = 5

/**
 * Explicit wishes to end onboarding, in English. Anything subtler is for `POST /onboarding/end`: a guess that is
 * wrong would end it for good.
 */
const WISHES = [
  /\b(skip|stop|end|finish|cancel|quit|no more)\b[^.?!]{0,30}\b(onboarding|introductions?|intro|getting[- ]to[- ]know)\b/i,
  /\b(stop|quit|no more|enough|don[’']?t|do not|without)\b[^.?!]{0,30}\b(ask(ing)? (me )?(all )?(these |those |any |so many )?questions?|questions? about me)\b/i,
  /\b(no more|enough|stop (with )?(the|these|your)) (personal )?questions\b/i,
]

/** Whether a message says in so many words that the user wants no more introductions. */
export const wantsOnboardingToEnd = (message: string): boolean => WISHES.some((wish) => wish.test(message))
