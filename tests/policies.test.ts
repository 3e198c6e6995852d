import { digestOf, type Logger, ROLES, type Role, silent, versionTags } from '@promptkeep/client/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, ask } from './support/ask.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'
import { bearer } from './support/token-registry.ts'

const OWN = '/api/promptkeep/1.0'
const MLFLOW = '/api/2.0/mlflow'
const MODELS = `${MLFLOW}/registered-models`
const VERSIONS = `${MLFLOW}/model-versions`

type Headers = Readonly<Record<string, string>>

describe.each(databases)('policies on $database $skip', ({ skip, start }) => {
  describe.skipIf(skip)('over HTTP', () => {
    let database: TestDatabase | undefined
    let registry: TestRegistry
    const events: { readonly event: string; readonly fields: object }[] = []
    const log: Logger = {
      ...silent,
      info: (fields, event) => {
        if (event === 'policy.changed') events.push({ event, fields })
      },
    }
    const tokens = new Map<Role, string>()
    /** A run that passed before there were tokens. */
    let early = ''
    let prompts = 0

    beforeAll(async () => {
      database = await start()
      registry = await startRegistry(database.env, log)
      await makePrompt('early')
      early = await makeRun('early', 1)
      for (const role of ['admin', ...ROLES.filter((one) => one !== 'admin')] as const) {
        const { body } = await ok(post(`${OWN}/tokens`, { name: role, roles: [role] }, 'admin'))
        tokens.set(role, (body as { token: string }).token)
      }
    })
    afterAll(async () => {
      await registry?.stop()
      await database?.stop()
    })

    async function send(method: string, path: string, body: object, as: Role, headers: Headers = {}) {
      const token = tokens.get(as)
      const sent = { 'content-type': 'application/json', ...(token && bearer(token)), ...headers }
      return ask(registry.url, { method, path, body: JSON.stringify(body), headers: sent })
    }
    const post = (path: string, body: object, as: Role, headers?: Headers) =>
      send('POST', path, body, as, headers)

    async function ok(answer: Promise<Answer>): Promise<Answer> {
      const got = await answer
      expect(got).toMatchObject({ status: 200 })
      return got
    }

    async function refused(answer: Promise<Answer>, status: number, code: string, ...texts: string[]) {
      const got = await answer
      expect(got).toMatchObject({ status, body: { error_code: code } })
      for (const text of texts) expect((got.body as { message: string }).message).toContain(text)
      return got
    }
    const forbidden = (answer: Promise<Answer>, ...texts: string[]) =>
      refused(answer, 403, 'PERMISSION_DENIED', ...texts)

    /** With two versions, production at the first. @returns Its name */
    async function makePrompt(name = `prompt-${++prompts}`): Promise<string> {
      const tag = { key: 'mlflow.prompt.is_prompt', value: 'true' }
      await ok(post(`${MODELS}/create`, { name, tags: [tag] }, 'writer'))
      for (const template of ['one', 'two']) {
        const tags = Object.entries(await versionTags({ template })).map(([key, value]) => ({ key, value }))
        await ok(post(`${VERSIONS}/create`, { name, source: 'dummy-source', tags }, 'writer'))
      }
      await ok(post(`${OWN}/alias`, { name, alias: 'production', version: 1, reason: 'first' }, 'writer'))
      return name
    }

    /** As MLflow's clients log one: finished now, with a verdict. */
    async function makeRun(name: string, version: number, verdictBy: Role = 'evaluator'): Promise<string> {
      const { body } = await ok(
        post(`${MLFLOW}/runs/create`, { experiment_id: '0', start_time: Date.now() }, 'evaluator'),
      )
      const run_id = (body as { run: { info: { run_id: string } } }).run.info.run_id
      const params = Object.entries({
        suite: 'tone',
        dataset_digest: 'd1',
        [`prompt.${name}`]: `v${version}`,
        [`prompt_digest.${name}`]: await digestOf({ template: version === 1 ? 'one' : 'two' }),
      }).map(([key, value]) => ({ key, value }))
      await ok(post(`${MLFLOW}/runs/log-batch`, { run_id, params }, 'evaluator'))
      const tag = { run_id, key: 'promptkeep.verdict', value: 'pass' }
      await ok(post(`${MLFLOW}/runs/set-tag`, tag, verdictBy))
      await ok(
        post(`${MLFLOW}/runs/update`, { run_id, status: 'FINISHED', end_time: Date.now() }, 'evaluator'),
      )
      return run_id
    }

    async function history(name: string): Promise<Record<string, unknown>[]> {
      const { body } = await ok(send('GET', `${OWN}/changes?prompt=${name}`, {}, 'reader'))
      return (body as { changes: Record<string, unknown>[] }).changes
    }

    const setPolicy = (policy: object) =>
      ok(post(`${OWN}/policies`, { alias: 'production', ...policy }, 'admin'))
    const removePolicy = () => ok(post(`${OWN}/policies/remove`, { alias: 'production' }, 'admin'))

    it('are set, listed and removed by an admin, and told in the log', async () => {
      const { body } = await ok(post(`${OWN}/policies`, { alias: 'staging' }, 'admin'))
      const plain = {
        alias: 'staging',
        roles: ['writer', 'promoter', 'admin'],
        reason_required: false,
        evidence_required: false,
        updated_at: expect.any(Number),
        updated_by: 'admin',
      }
      expect(body).toEqual({ policy: plain })
      const strict = {
        alias: 'staging',
        roles: ['promoter', 'promoter'],
        evidence_required: true,
        max_age_seconds: 3600,
      }
      const stored = { ...plain, ...strict, roles: ['promoter'] }
      expect((await ok(post(`${OWN}/policies`, strict, 'admin'))).body).toEqual({ policy: stored })
      const listed = await ok(send('GET', `${OWN}/policies`, {}, 'reader'))
      expect(listed.body).toEqual({ policies: [stored] })
      for (const role of ROLES.filter((one) => one !== 'admin')) {
        await forbidden(post(`${OWN}/policies`, { alias: 'staging' }, role))
        await forbidden(post(`${OWN}/policies/remove`, { alias: 'staging' }, role))
      }
      const remove = () => ok(post(`${OWN}/policies/remove`, { alias: 'staging' }, 'admin'))
      expect((await remove()).body).toEqual({ removed: true })
      expect((await remove()).body).toEqual({ removed: false })
      expect(events.splice(0).map(({ fields }) => fields)).toMatchObject([
        { alias: 'staging', actor: 'admin', correlationId: expect.any(String) },
        { alias: 'staging', roles: ['promoter'], evidenceRequired: true, maxAgeMs: 3_600_000 },
        { alias: 'staging', removed: true },
      ])
    })

    it.each<[field: string, policy: object, allowed: string]>([
      ['alias', {}, 'required'],
      ['alias', { alias: 'latest' }, 'reserved'],
      ['alias', { alias: 'v3' }, 'reserved'],
      ['alias', { alias: 'a b' }, 'letters, digits'],
      ['roles', { alias: 'x', roles: [] }, 'at least one of writer, promoter, admin'],
      ['roles', { alias: 'x', roles: 'promoter' }, 'a list of roles'],
      ['roles[1]', { alias: 'x', roles: ['promoter', 'boss'] }, 'one of writer, promoter, admin'],
      ['roles[0]', { alias: 'x', roles: ['evaluator'] }, 'no other role may move an alias'],
      ['reason_required', { alias: 'x', reason_required: 'yes' }, 'true or false'],
      ['evidence_required', { alias: 'x', evidence_required: 1 }, 'true or false'],
      ['max_age_seconds', { alias: 'x', evidence_required: true, max_age_seconds: 0 }, 'from 1'],
      ['max_age_seconds', { alias: 'x', evidence_required: true, max_age_seconds: 1.5 }, 'whole'],
      ['max_age_seconds', { alias: 'x', evidence_required: true, max_age_seconds: 2 ** 31 }, 'to 2147483647'],
      ['max_age_seconds', { alias: 'x', max_age_seconds: 60 }, 'evidence_required'],
    ])('say what is wrong with %s (%j)', async (field, policy, allowed) => {
      await refused(post(`${OWN}/policies`, policy, 'admin'), 400, 'INVALID_PARAMETER_VALUE', field, allowed)
      expect((await ok(send('GET', `${OWN}/policies`, {}, 'reader'))).body).toEqual({ policies: [] })
    })

    it('let a move pass that earned it, by our route and by MLflow’s', async () => {
      const name = await makePrompt()
      await makeRun(name, 1)
      await setPolicy({ roles: ['promoter'], reason_required: true, evidence_required: true })
      const move = { name, alias: 'production', version: 2, reason: 'warmer' }
      await forbidden(post(`${OWN}/alias`, move, 'writer'), 'clause "role"', 'writer has writer')
      await forbidden(post(`${OWN}/alias`, move, 'promoter'), 'clause "evidence"', `production of ${name}`)
      const evidence = await makeRun(name, 2)
      const { body } = await ok(post(`${OWN}/alias`, { ...move, evidence: `runs:/${evidence}` }, 'promoter'))
      const moved = { kind: 'alias.moved', from: 1, to: 2, evidence: `runs:/${evidence}`, actor: 'promoter' }
      expect(body).toMatchObject({ change: moved })

      const back = { name, alias: 'production', version: '1' }
      const judged = { 'Promptkeep-Evidence': await makeRun(name, 1) }
      await forbidden(post(`${MODELS}/alias`, back, 'promoter', judged), 'Promptkeep-Reason')
      const why = { 'Promptkeep-Reason': encodeURIComponent('kälter ☕, 100 %') }
      await forbidden(post(`${MODELS}/alias`, back, 'promoter', why), 'Promptkeep-Evidence: <run id>')
      await ok(post(`${MODELS}/alias`, back, 'promoter', { ...why, ...judged }))
      expect((await history(name))[0]).toMatchObject({
        from: 2,
        to: 1,
        reason: 'kälter ☕, 100 %',
        evidence: `runs:/${judged['Promptkeep-Evidence']}`,
      })
      await removePolicy()
    })

    it('count a verdict by an evaluator’s token only', async () => {
      const name = await makePrompt()
      await makeRun(name, 1)
      await setPolicy({ evidence_required: true })
      const move = { name, alias: 'production', version: 2 }
      const byAdmin = await makeRun(name, 2, 'admin')
      await forbidden(post(`${OWN}/alias`, { ...move, evidence: byAdmin }, 'promoter'), 'clause "verdict"')
      // A writer may not touch runs at all.
      const tag = { run_id: byAdmin, key: 'promptkeep.verdict', value: 'pass' }
      await forbidden(post(`${MLFLOW}/runs/set-tag`, tag, 'writer'))
      const again = { name: 'early', alias: 'production', version: 1, evidence: early }
      await forbidden(post(`${OWN}/alias`, again, 'promoter'), 'clause "verdict"', 'anonymous')
      await removePolicy()
    })

    it('are overruled by an admin who says why, and the log says so', async () => {
      const name = await makePrompt()
      await setPolicy({ evidence_required: true })
      const move = { name, alias: 'production', version: 2 }
      await forbidden(
        post(`${OWN}/alias`, { ...move, force: true, reason: 'x' }, 'promoter'),
        'Only an admin',
      )
      await refused(
        post(`${OWN}/alias`, { ...move, force: true }, 'admin'),
        400,
        'INVALID_PARAMETER_VALUE',
        'needs a reason',
      )
      const { body } = await ok(post(`${OWN}/alias`, { ...move, force: true, reason: 'incident 7' }, 'admin'))
      expect(body).toMatchObject({ change: { forced: true, reason: 'incident 7', actor: 'admin' } })
      await removePolicy()
    })

    const tag = { version: '1', key: 'promptkeep.rollout.production', value: '{"2":10}' }
    it.each<[what: string, method: string, path: string, body: object]>([
      ['move', 'POST', `${MODELS}/alias`, { alias: 'production', version: '2' }],
      ['remove', 'DELETE', `${MODELS}/alias`, { alias: 'production' }],
      ['rename', 'POST', `${MODELS}/rename`, { new_name: 'renamed' }],
      ['delete', 'DELETE', `${MODELS}/delete`, {}],
      ['delete a version', 'DELETE', `${VERSIONS}/delete`, { version: '1' }],
      ['set a rollout', 'POST', `${VERSIONS}/set-tag`, tag],
    ])('keep MLflow’s %s from writers, and let an admin force it by headers', async (...given) => {
      const [, method, path, fields] = given
      const name = await makePrompt()
      await setPolicy({ evidence_required: true })
      const before = await history(name)
      const ask = (as: Role, headers?: Headers) => send(method, path, { name, ...fields }, as, headers)
      await forbidden(ask('writer'), 'clause "evidence"', 'Promptkeep-')
      const force = { 'Promptkeep-Force': 'true' }
      await forbidden(ask('writer', { ...force, 'Promptkeep-Reason': 'x' }), 'Only an admin')
      await refused(ask('admin', force), 400, 'INVALID_PARAMETER_VALUE', 'needs a reason')
      await forbidden(ask('admin', { 'Promptkeep-Force': 'false', 'Promptkeep-Reason': 'x' }))
      expect(await history(name)).toEqual(before)
      await ok(ask('admin', { ...force, 'Promptkeep-Reason': 'an%20incident' }))
      expect((await history(name))[0]).toMatchObject({ forced: true, reason: 'an incident', actor: 'admin' })
      await removePolicy()
      await send('DELETE', `${MODELS}/delete`, { name: 'renamed' }, 'writer')
    })

    it('do not stop an app from seeding what is new, and let nobody move by seeding', async () => {
      const name = await makePrompt()
      await setPolicy({ roles: ['promoter'], evidence_required: true })
      const seed = (of: string) =>
        post(`${OWN}/seed`, { name: of, alias: 'production', template: 'x' }, 'writer')
      expect((await ok(seed('fresh'))).body).toMatchObject({ outcome: 'seeded' })
      expect((await ok(seed(name))).body).toMatchObject({ outcome: 'skipped', current: { version: 1 } })
      const force = { 'Promptkeep-Force': 'true', 'Promptkeep-Reason': 'gone' }
      await ok(send('DELETE', `${MODELS}/delete`, { name }, 'admin', force))
      await forbidden(seed(name), 'clause "role"')
      await removePolicy()
    })

    it('compare and set by If-Match and If-None-Match on MLflow’s alias route', async () => {
      const name = await makePrompt()
      const move = (alias: string, version: string, headers: Headers) =>
        post(`${MODELS}/alias`, { name, alias, version }, 'writer', headers)
      const lost = await refused(move('production', '2', { 'If-Match': '"2"' }), 409, 'RESOURCE_CONFLICT')
      expect(lost.body).toMatchObject({ current: 1 })
      const taken = await refused(move('production', '2', { 'If-None-Match': '*' }), 409, 'RESOURCE_CONFLICT')
      expect(taken.body).toMatchObject({ current: 1 })
      const unset = await refused(move('beta', '2', { 'If-Match': '"1"' }), 409, 'RESOURCE_CONFLICT')
      expect(unset.body).toMatchObject({ current: null })
      expect((await history(name))[0]).toMatchObject({ to: 1, alias: 'production' })
      await ok(move('production', '2', { 'If-Match': '"1"' }))
      await ok(move('beta', '1', { 'If-None-Match': '*' }))
    })

    it('compare when MLflow’s alias route removes, too', async () => {
      const name = await makePrompt()
      const remove = (alias: string, headers: Headers) =>
        send('DELETE', `${MODELS}/alias`, { name, alias }, 'writer', headers)
      for (const headers of [{ 'If-Match': '"2"' }, { 'If-None-Match': '*' }] as const) {
        const lost = await refused(remove('production', headers), 409, 'RESOURCE_CONFLICT')
        expect(lost.body).toMatchObject({ current: 1 })
      }
      const unset = await refused(remove('beta', { 'If-Match': '"1"' }), 409, 'RESOURCE_CONFLICT')
      expect(unset.body).toMatchObject({ current: null })
      await refused(remove('production', { 'If-Match': '1' }), 400, 'INVALID_PARAMETER_VALUE', 'quotes')
      expect((await history(name))[0]).toMatchObject({ kind: 'alias.moved' })
      await ok(remove('beta', { 'If-None-Match': '*' }))
      await ok(remove('production', { 'If-Match': '"1"' }))
      expect((await history(name))[0]).toMatchObject({ kind: 'alias.removed', from: 1 })
    })

    it.each<[what: string, headers: Headers, text: string]>([
      ['a bare number', { 'If-Match': '1' }, 'in double quotes'],
      ['any version', { 'If-Match': '*' }, 'in double quotes'],
      ['a weak tag', { 'If-Match': 'W/"1"' }, 'in double quotes'],
      ['two tags', { 'If-Match': '"1", "2"' }, 'in double quotes'],
      ['version 0', { 'If-Match': '"0"' }, 'from 1'],
      ['If-None-Match with a version', { 'If-None-Match': '"1"' }, 'not set'],
      ['both at once', { 'If-Match': '"1"', 'If-None-Match': '*' }, 'contradict'],
      ['force that is neither', { 'Promptkeep-Force': 'yes' }, 'true or false'],
      ['a lone percent sign', { 'Promptkeep-Reason': '100%' }, 'percent-encoded'],
      ['what is no UTF-8', { 'Promptkeep-Reason': '%ff' }, 'percent-encoded'],
      ['what is not encoded', { 'Promptkeep-Reason': '\u00e4' }, 'percent-encoded'],
      ['U+0000', { 'Promptkeep-Reason': 'a%00b' }, 'Promptkeep-Reason'],
      ['5001 characters', { 'Promptkeep-Reason': 'x'.repeat(5001) }, 'at most 5000'],
      ['evidence that cannot be decoded', { 'Promptkeep-Evidence': '%' }, 'percent-encoded'],
    ])('say what is wrong with a header that holds %s', async (_, headers, text) => {
      const name = await makePrompt()
      const before = await history(name)
      const move = { name, alias: 'production', version: '2' }
      await refused(post(`${MODELS}/alias`, move, 'writer', headers), 400, 'INVALID_PARAMETER_VALUE', text)
      expect(await history(name)).toEqual(before)
    })
  })
})
