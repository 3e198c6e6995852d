/** Makes it at the first call and keeps it; a failure is not kept. */
export function lazy<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    if (!made) {
      made = make()
      made.catch(() => {
        made = undefined
      })
    }
    return made
  }
}

type AsyncMethod = (...given: never[]) => Promise<unknown>

/** Methods of something that is made at the first call of one of them. */
export function methodsOf<T extends object, Name extends keyof T>(
  get: () => Promise<T>,
  names: readonly Name[],
): Pick<T, Name> {
  const method =
    (name: Name): AsyncMethod =>
    async (...given) =>
      ((await get())[name] as AsyncMethod)(...given)
  return Object.fromEntries(names.map((name) => [name, method(name)])) as Pick<T, Name>
}
