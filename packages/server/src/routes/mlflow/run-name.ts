/**
 * A name for a run that was started without one, in MLflow's form: `calm-otter-512`.
 *
 * @param random - As `Math.random`: 0 ≤ n < 1.
 */
export function randomRunName(random: () => number): string {
  const one = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? words[0]
  return `${one(ADJECTIVES)}-${one(ANIMALS)}-${Math.floor(random() * 1001)}`
}

const ADJECTIVES = words(`
  able amber ample azure bold brave brief bright brisk calm candid civil clean clear clever close cool cosmic crisp
  curious daring dear deep eager early easy even fair fancy fast fine firm fleet fond frank free fresh gentle glad
  golden good grand great handy happy hardy honest humble jolly keen kind large light lively loyal lucid lucky lunar
  mellow merry mild modest neat nimble noble open patient plain polite proud pure quick quiet rapid rare ready rich
  robust rosy round royal rustic serene sharp silent simple sincere sleek smart smooth snug sober solar solid spry
  stable steady stout sunny sure swift tidy tranquil true upbeat valid vivid warm welcome whole wise witty young zesty`)

const ANIMALS = words(`
  ant ape auk badger bat bear beaver bee bison boar bream carp cat civet cod colt conch coot cow crab crane cricket
  crow deer dingo dog dove duck eagle eel egret elk emu falcon fawn ferret finch fish fox frog gecko gnu goat goose
  grouse gull hare hawk hen heron horse hound ibex ibis jay kite kiwi koala lark lemur lion llama loon lynx magpie
  mare marten mink mole moose moth mouse mule newt okapi orca oryx osprey otter owl ox panda perch pika pike plover
  pony puffin pug quail rabbit ram raven ray robin rook salmon seal shark sheep shrew skink skunk sloth snail
  sparrow squid stag stoat stork swan tapir tern tiger toad trout turtle viper vole walrus wasp weasel whale wolf
  wombat wren yak zebra`)

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/)
}
