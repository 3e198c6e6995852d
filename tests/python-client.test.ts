import { type Logger, silent } from '@promptkeep/client/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mlflowSkip } from './support/mlflow.ts'
import { PYTHON_MS, python, type Told } from './support/python-client.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

describe.skipIf(mlflowSkip)(`the Python client on our server ${mlflowSkip}`, () => {
  let registry: TestRegistry
  const answered: { path: string; status: number }[] = []
  const log: Logger = {
    ...silent,
    info(fields, event) {
      if (event === 'request.completed') answered.push(fields as { path: string; status: number })
    },
  }
  beforeAll(async () => {
    registry = await startRegistry({}, log)
  })
  afterAll(async () => {
    await registry.stop()
    // Some calls are made by threads whose failure the client only logs: the server knows.
    expect(answered.filter(({ status }) => status >= 500 || status === 405)).toEqual([])
  })

  it('registers, loads by version, alias and latest, and formats', { timeout: PYTHON_MS }, async () => {
    const seen = await python<Record<string, Told> & { formatted: string; next: number }>(
      registry.url,
      `
first = mlflow.genai.register_prompt(
    "memory", "You are {{ who }} of {{ place }}", commit_message="first", tags={"team": "a"},
    model_config={"temperature": 0.5, "max_tokens": 10, "reasoning": {"effort": "low"}},
    response_format={"type": "object", "properties": {"ok": {"type": "boolean"}}})
second = mlflow.genai.register_prompt("memory", "You are {{ who }}!", commit_message="second")
mlflow.genai.set_prompt_alias("memory", "production", 1)
chat = mlflow.genai.register_prompt("talk", [
    {"role": "system", "content": "Be {{ tone }}."}, {"role": "user", "content": "{{ question }} é ☕"}])
by_alias = mlflow.genai.load_prompt("prompts:/memory@production")
answer({
    "first": told(first), "second": told(second),
    "by_alias": told(by_alias), "formatted": by_alias.format(who="Ada", place="London"),
    "by_version": told(mlflow.genai.load_prompt("prompts:/memory/2")),
    "latest": told(mlflow.genai.load_prompt("memory")),
    "chat": told(mlflow.genai.load_prompt("talk", version=1)),
})
`,
    )
    const first = {
      name: 'memory',
      version: 1,
      template: 'You are {{ who }} of {{ place }}',
      variables: ['place', 'who'],
      message: 'first',
      tags: { team: 'a' },
      model_config: { temperature: 0.5, max_tokens: 10, reasoning: { effort: 'low' } },
      response_format: { type: 'object', properties: { ok: { type: 'boolean' } } },
      is_text: true,
    }
    expect(seen.first).toMatchObject({ ...first, aliases: [] })
    expect(seen.by_alias).toMatchObject({ ...first, aliases: ['production'] })
    expect(seen.formatted).toBe('You are Ada of London')
    const second = { version: 2, message: 'second', model_config: null, response_format: null }
    for (const prompt of [seen.second, seen.by_version, seen.latest]) expect(prompt).toMatchObject(second)
    expect(seen.chat).toMatchObject({
      is_text: false,
      variables: ['question', 'tone'],
      template: [
        { role: 'system', content: 'Be {{ tone }}.' },
        { role: 'user', content: '{{ question }} é ☕' },
      ],
    })
  })

  it('searches prompts and versions, tags both', { timeout: PYTHON_MS }, async () => {
    const seen = await python<Record<string, unknown>>(
      registry.url,
      `
for n in range(5):
    mlflow.genai.register_prompt(f"find-{n}", f"text {n}", tags={"n": str(n)})
    client.set_prompt_tag(f"find-{n}", "parity", "even" if n % 2 == 0 else "odd")
names = lambda **how: [p.name for p in mlflow.genai.search_prompts(**how)]
client.set_prompt_version_tag("find-1", 1, "reviewed", "yes")
client.delete_prompt_tag("find-0", "parity")
page = client.search_prompts(filter_string="name LIKE 'find-%'", max_results=2)
answer({
    "like": names(filter_string="name LIKE 'find-%'"),
    "odd": names(filter_string="tags.parity = 'odd'"),
    "even": names(filter_string="name ILIKE 'FIND-%' AND tags.parity != 'odd'"),
    "of_experiment": names(filter_string="experiment_id = '0' AND name = 'find-2'"),
    "page": [p.name for p in page], "next": [p.name for p in client.search_prompts(
        filter_string="name LIKE 'find-%'", max_results=2, page_token=page.token)],
    "versions": [told(v) for v in client.search_prompt_versions("find-1")],
    "prompt_tags": client.get_prompt("find-1").tags,
    "version_tags": client.get_prompt_version("find-1", 1).tags,
    "refused": refusal(mlflow.genai.search_prompts, filter_string="name = 'a' OR name = 'b'"),
})
`,
    )
    expect(seen).toMatchObject({
      like: ['find-0', 'find-1', 'find-2', 'find-3', 'find-4'],
      odd: ['find-1', 'find-3'],
      even: ['find-2', 'find-4'],
      of_experiment: ['find-2'],
      page: ['find-0', 'find-1'],
      next: ['find-2', 'find-3'],
      prompt_tags: expect.objectContaining({ parity: 'odd' }),
      version_tags: { n: '1', reviewed: 'yes' },
      refused: { code: 'INVALID_PARAMETER_VALUE', message: expect.stringContaining('Invalid clause(s)') },
    })
    expect(seen.versions).toMatchObject([{ name: 'find-1', version: 1, template: 'text 1' }])
  })

  it('moves and deletes aliases, deletes versions and prompts', { timeout: PYTHON_MS }, async () => {
    const seen = await python<Record<string, unknown>>(
      registry.url,
      `
for text in ["one", "two", "three"]:
    mlflow.genai.register_prompt("gone", text)
load = lambda ref: mlflow.genai.load_prompt(ref, cache_ttl_seconds=0).template
client.set_prompt_alias("gone", "production", 1)
before = load("prompts:/gone@production")
client.set_prompt_alias("gone", "production", 2)
moved = load("prompts:/gone@production")
client.delete_prompt_alias("gone", "production")
no_alias = refusal(load, "prompts:/gone@production")
client.set_prompt_alias("gone", "old", 3)
client.delete_prompt_version("gone", "3")
after = {"latest": load("prompts:/gone@latest"), "deleted": refusal(load, "prompts:/gone/3"),
         "alias_of_deleted": refusal(load, "prompts:/gone@old"),
         "to_missing": refusal(client.set_prompt_alias, "gone", "x", 3),
         "reserved": refusal(client.set_prompt_alias, "gone", "latest", 1),
         "bad_name": refusal(client.set_prompt_alias, "gone", "a b", 1)}
client.delete_prompt_version("gone", "1"); client.delete_prompt_version("gone", "2")
client.delete_prompt("gone")
answer({"before": before, "moved": moved, "no_alias": no_alias, **after,
    "absent": refusal(load, "prompts:/gone/1"), "none": mlflow.genai.load_prompt("gone", allow_missing=True),
    "again": mlflow.genai.register_prompt("gone", "anew").version})
`,
    )
    const absent = { code: 'RESOURCE_DOES_NOT_EXIST' }
    const invalid = { code: 'INVALID_PARAMETER_VALUE' }
    expect(seen).toMatchObject({
      ...{ before: 'one', moved: 'two', latest: 'two' },
      ...{ no_alias: invalid, alias_of_deleted: invalid, reserved: invalid, bad_name: invalid },
      ...{ deleted: absent, to_missing: absent, absent },
      ...{ none: null, again: 1 },
    })
  })

  it('is told why content and config of a version do not change', { timeout: PYTHON_MS }, async () => {
    const seen = await python<Record<string, { code: string; message: string }> & { after: Told }>(
      registry.url,
      `
mlflow.genai.register_prompt("fixed", "as it is", model_config={"temperature": 0.1})
answer({
    "text": refusal(client.set_prompt_version_tag, "fixed", 1, "mlflow.prompt.text", "other"),
    "config": refusal(mlflow.genai.set_prompt_model_config, "fixed", 1, {"temperature": 1.0}),
    "no_config": refusal(mlflow.genai.delete_prompt_model_config, "fixed", 1),
    "long": refusal(mlflow.genai.register_prompt, "fixed", "x" * 100_001),
    "after": told(mlflow.genai.load_prompt("fixed", cache_ttl_seconds=0)),
})
`,
    )
    for (const key of ['text', 'config', 'no_config', 'long']) {
      expect(seen[key], key).toMatchObject({ code: 'INVALID_PARAMETER_VALUE' })
    }
    expect(seen.config?.message).toMatch(/new version/)
    expect(seen.after).toMatchObject({ version: 1, template: 'as it is', model_config: { temperature: 0.1 } })
  })

  it('tracks an eval run, and links the prompts that it loads', { timeout: PYTHON_MS }, async () => {
    const seen = await python<Record<string, unknown>>(
      registry.url,
      `
mlflow.genai.register_prompt("linked", "v1"); mlflow.genai.register_prompt("linked", "v2")
experiment = mlflow.set_experiment("evals")
with mlflow.start_run(run_name="tone", tags={"suite": "tone"}) as run:
    mlflow.log_params({"model": "m", "prompt.linked": "v2"})
    mlflow.log_param("one", 1)
    mlflow.log_metrics({"pass_rate": 0.5}, step=0)
    mlflow.log_metric("pass_rate", 0.75, step=1)
    mlflow.log_metric("nan", float("nan")); mlflow.log_metric("inf", float("inf"))
    mlflow.set_tags({"promptkeep.verdict": "pass"}); mlflow.set_tag("note", "n" * 9000)
    mlflow.genai.load_prompt("prompts:/linked/1"); mlflow.genai.load_prompt("prompts:/linked@latest")
    client.log_batch(run.info.run_id, [Metric(f"m{i % 5}", i, i, i) for i in range(1500)],
                     [Param(f"p{i}", i) for i in range(150)], [RunTag("batch", "yes")])
    changed = refusal(client.log_param, run.info.run_id, "model", "other")
with mlflow.start_run(run_name="broken"):
    broken_id = mlflow.active_run().info.run_id
client.set_terminated(broken_id, "FAILED")
unnamed = client.create_run(experiment.experiment_id)
done = client.get_run(run.info.run_id)
found = lambda text, **how: [r.info.run_name for r in client.search_runs([experiment.experiment_id], text, **how)]
page = client.search_runs([experiment.experiment_id], max_results=1, order_by=["start_time ASC"])
answer({
    "status": done.info.status, "name": done.info.run_name, "params": done.data.params["model"],
    "param_count": len(done.data.params), "pass_rate": done.data.metrics["pass_rate"],
    "nan": done.data.metrics["nan"] != done.data.metrics["nan"], "inf": done.data.metrics["inf"],
    "m4": done.data.metrics["m4"], "note": len(done.data.tags["note"]), "batch": done.data.tags["batch"],
    "linked": done.data.tags["mlflow.linkedPrompts"], "changed": changed, "unnamed": unnamed.info.run_name,
    "by_metric": found("metrics.pass_rate > 0.6"), "by_tag": found("tags.suite = 'tone' AND params.model = 'm'"),
    "by_status": found("attributes.status = 'FAILED'"), "by_name": found("run_name LIKE 'bro%'"),
    "ordered": found("run_name ILIKE '%o%' AND status != 'RUNNING'", order_by=["metrics.pass_rate DESC"])[:1],
    "frame": len(mlflow.search_runs(experiment_names=["evals"])),
    "first": [r.info.run_name for r in page], "more": page.token is not None,
    "by_experiment_name": client.get_experiment_by_name("evals").experiment_id == experiment.experiment_id,
    "missing_experiment": client.get_experiment_by_name("nope"),
    "experiments": [e.name for e in client.search_experiments(filter_string="name LIKE 'ev%'")],
    "missing_run": refusal(client.get_run, "f" * 32), "bad_filter": refusal(found, "metrics.a = 'x'"),
})
`,
    )
    expect(seen).toMatchObject({
      ...{ status: 'FINISHED', name: 'tone', params: 'm', param_count: 153, pass_rate: 0.75, nan: true },
      ...{ inf: Number.MAX_VALUE, m4: 1499, note: 8000, batch: 'yes' },
      ...{ unnamed: expect.stringMatching(/^[a-z]+-[a-z]+-\d+$/) },
      ...{
        by_metric: ['tone'],
        by_tag: ['tone'],
        by_status: ['broken'],
        by_name: ['broken'],
        ordered: ['tone'],
      },
      ...{ frame: 3, first: ['tone'], more: true, by_experiment_name: true, missing_experiment: null },
      ...{ experiments: ['evals'], bad_filter: { code: 'INVALID_PARAMETER_VALUE' } },
      changed: { code: 'INVALID_PARAMETER_VALUE', message: expect.stringContaining('Changing param values') },
      missing_run: { code: 'RESOURCE_DOES_NOT_EXIST' },
    })
    expect(JSON.parse(seen.linked as string)).toEqual([
      { name: 'linked', version: '1' },
      { name: 'linked', version: '2' },
    ])
  })
})
