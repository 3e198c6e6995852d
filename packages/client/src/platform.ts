export type Env = Readonly<Record<string, string | undefined>>

interface Host {
  readonly process?: { readonly env?: Env; readonly getBuiltinModule?: (name: string) => object | undefined }
}

/** The one place that reads the environment; there is none on an edge worker. */
export function readEnvironment(): Env {
  return (globalThis as Host).process?.env ?? {}
}

/** A module of Node, where the platform has it: nothing is imported, so that nothing is missed elsewhere. */
export function builtinModule(name: string): object | undefined {
  return (globalThis as Host).process?.getBuiltinModule?.(name)
}
