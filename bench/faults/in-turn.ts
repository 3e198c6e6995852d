/** Works on all, at most so many at a time, in order. @throws the first error; the others that run are let end */
export async function inTurn<T, R>(
  all: readonly T[],
  most: number,
  work: (one: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const left = all.entries()
  const worker = async () => {
    for (const [i, one] of left) results[i] = await work(one)
  }
  await Promise.all(Array.from({ length: most }, worker))
  return results
}
