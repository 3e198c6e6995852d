import type { GuardedChange } from './guard.ts'

/** Why a policy refuses a change: which clause, what was found, what would satisfy it. */
export interface Refusal {
  readonly clause:
    | 'role'
    | 'reason'
    | 'evidence'
    | 'rollout'
    | 'run'
    | 'finished'
    | 'age'
    | 'version'
    | 'digest'
    | 'dataset'
    | 'verdict'
    | 'invalid'
  readonly found: string
  readonly needed: string
}

export function deedOf({ kind, model, alias, to }: GuardedChange): string {
  const what = `The alias ${alias} of ${model.name}`
  switch (kind) {
    case 'move':
      return `${what} was not pointed at version ${to?.version}`
    case 'rollback':
      return `${what} was not rolled back to ${to ? `version ${to.version}` : 'being unset'}`
    case 'remove':
      return `${what} was not removed`
    case 'rollout':
      return `The rollout of the alias ${alias} of ${model.name} was not changed`
    case 'config':
      return `The model config of a version of ${model.name} that the alias ${alias} serves was not changed`
    case 'register':
      return `No version of ${model.name} was registered, for the rollout of the alias ${alias} would serve it at once`
    case 'delete version':
      return `A version of ${model.name} that the alias ${alias} serves was not deleted`
    case 'delete prompt':
      return `${model.name}, which has the alias ${alias}, was not deleted`
    case 'rename':
      return `${model.name}, which has the alias ${alias}, was not renamed`
  }
}

export const MOVE_REASON =
  'a reason (promptkeep … --reason "<why>", the field reason, or on MLflow\'s routes the header Promptkeep-Reason)'

export const MOVE_EVIDENCE = ({ model, alias, to }: Pick<GuardedChange, 'model' | 'alias' | 'to'>) =>
  `a run that judged this version: ${command('alias', model.name, alias, to?.version ?? 1)} --evidence <run id>, ` +
  "the field evidence, or on MLflow's routes the header Promptkeep-Evidence: <run id>"

export const ONLY_FORCED = {
  found: 'the policy asks for evidence, and no eval run can judge this',
  needed:
    "an admin who forces it with a reason (on MLflow's routes the headers Promptkeep-Force: true and " +
    'Promptkeep-Reason: <why>)',
} as const

export const versionsOf = (versions: readonly number[]): string =>
  `${versions.length === 1 ? 'version' : 'versions'} ${versions.join(', ')}`

/** A command line that may be copied, whatever is in a name. */
export const command = (...words: readonly (string | number)[]): string =>
  ['promptkeep', ...words.map((word) => shellWord(String(word)))].join(' ')

const shellWord = (word: string) =>
  /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
