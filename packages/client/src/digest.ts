import type { Json, JsonObject, ModelConfig, Template } from './prompt.ts'

/** What a digest covers. Absent keys are left out, `{}` is not absent. */
export interface PromptContent {
  readonly template: Template
  readonly modelConfig?: ModelConfig | undefined
  readonly responseFormat?: JsonObject | undefined
}

/**
 * The digest of a version: lower-case hex SHA-256 over the RFC 8785 JSON of
 * `{ template, model_config, response_format }`. Test vectors: `docs/digest.md`.
 */
export function digestOf({ template, modelConfig, responseFormat }: PromptContent): Promise<string> {
  return sha256({
    template: template as Json,
    ...(modelConfig === undefined ? {} : { model_config: modelConfig as Json }),
    ...(responseFormat === undefined ? {} : { response_format: responseFormat as Json }),
  })
}

/** The fingerprint of a set: SHA-256 over its `[name, version, digest]` triples, sorted by name. */
export function fingerprintOf(
  prompts: Iterable<{ readonly name: string; readonly version: number; readonly digest: string }>,
): Promise<string> {
  const triples = [...prompts].map(({ name, version, digest }): Json => [name, version, digest])
  return sha256(triples.sort((a, b) => (String((a as Json[])[0]) < String((b as Json[])[0]) ? -1 : 1)))
}

/** Lower-case hex SHA-256 over the RFC 8785 form of a JSON value. */
export async function sha256(value: Json): Promise<string> {
  const bytes = new TextEncoder().encode(canonical(value))
  const hash = await crypto.subtle.digest('SHA-256', bytes)
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** RFC 8785: keys in the order of their UTF-16 code units; texts and numbers are as `JSON.stringify` writes them. */
function canonical(value: Json | undefined): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const fields = Object.entries(value as JsonObject).filter(([, field]) => field !== undefined)
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`
}
