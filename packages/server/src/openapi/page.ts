import { html, raw } from 'hono/html'
import { type ApiDocument, type Listed, operationsOf, type Parameter, type Response } from './document.ts'
import type { JsonSchema } from './json-schema.ts'
import { rowsOf, type Schemas, typeOf } from './page-fields.ts'
import { PAGE_STYLE } from './page-style.ts'
import { curlOf } from './sample-call.ts'

type Html = ReturnType<typeof html>

/** The document as one page that loads nothing and runs nothing. `html` escapes every text that it is given. */
export function apiPage(document: ApiDocument): Html {
  const { info, tags, components } = document
  const all = operationsOf(document)
  const sections = tags
    .map((tag) => ({ ...tag, operations: all.filter(({ operation }) => operation.tags?.includes(tag.name)) }))
    .filter(({ operations }) => operations.length > 0)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title} ${info.version}: HTTP routes</title>
<link rel="icon" href="data:,">
<style>${raw(PAGE_STYLE)}</style>
</head>
<body>
<a class="skip" href="#main">To the routes</a>
<nav class="contents" aria-label="Contents">
<h2>${info.title}</h2>
${sections.map(
  ({ name, operations }) =>
    html`<details open><summary>${name}</summary><ul>${operations.map(
      ({ method, path, operation }) =>
        html`<li><a href="#${operation.operationId}"><span class="method ${method}">${method}</span><span>${shortPath(path)}</span></a></li>`,
    )}</ul></details>`,
)}
</nav>
<main id="main">
<h1>${info.title}: HTTP routes</h1>
<p class="version">Version ${info.version} · the same for programs: <a href="openapi.json">openapi.json</a></p>
${info.description.split('\n\n').map((paragraph) => html`<p>${marked(paragraph)}</p>`)}
${sections.map(
  ({ name, description, operations }) => html`<section aria-labelledby="${name}">
<h2 id="${name}">${name}</h2>
<p>${marked(description)}</p>
${operations.map((one) => article(one, components.schemas))}
</section>`,
)}
</main>
</body>
</html>`
}

function article(listed: Listed, schemas: Schemas): Html {
  const { method, path, operation } = listed
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation
  const body = requestBody?.content['application/json']?.schema
  const query = parameters.filter((one) => one.in === 'query')
  const headers = parameters.filter((one) => one.in === 'header')
  return html`<article id="${operationId}">
<h3><a href="#${operationId}"><span class="method ${method}">${method}</span> ${path}</a></h3>
<p>${marked(summary ?? '')}</p>
${description === undefined ? '' : html`<p>${marked(description)}</p>`}
<p class="who">${whoMay(operation['x-roles'])}</p>
${query.length === 0 ? '' : html`<h4>Query</h4>${parameterRows(query, schemas)}`}
${headers.length === 0 ? '' : html`<h4>Headers</h4>${parameterRows(headers, schemas)}`}
${body === undefined ? '' : html`<h4>Body</h4>${fieldRows(body, schemas, 0)}`}
<h4>Answers</h4>
<dl class="rows">${Object.entries(responses).map(([status, response]) => answerRow(status, response, schemas))}</dl>
<h4>Example</h4>
<pre><code>${curlOf(listed, schemas)}</code></pre>
</article>`
}

const whoMay = (roles: readonly string[] | undefined) =>
  roles === undefined ? 'Open to everybody, without a token.' : `Who may: ${roles.join(', ')}.`

const parameterRows = (parameters: readonly Parameter[], schemas: Schemas): Html =>
  html`<dl class="rows">${parameters.map(({ name, required = false, description = '', schema }) =>
    row({ name, required, schema: { ...schema, description } }, schemas, 0),
  )}</dl>`

const fieldRows = (schema: JsonSchema, schemas: Schemas, depth: number): Html =>
  html`<dl class="rows">${rowsOf(schema, schemas).map((one) => row(one, schemas, depth))}</dl>`

function row(field: ReturnType<typeof rowsOf>[number], schemas: Schemas, depth: number): Html {
  const { name, required, schema } = field
  const { type, limits, inner } = typeOf(schema, schemas)
  return html`<div><dt><code>${name}</code>${required ? html` <span class="required">required</span>` : ''}<span class="type">${type}</span></dt>
<dd>${marked(schema.description ?? '')}${limits === '' ? '' : html` <span class="limits">${limits}</span>`}${nested(inner, schemas, depth)}</dd></div>`
}

/** Deep shapes are folded: a version in a model in a page. */
function nested(inner: JsonSchema | undefined, schemas: Schemas, depth: number): Html | '' {
  if (inner === undefined || depth > 3 || rowsOf(inner, schemas).length === 0) return ''
  return html`<details class="fields"><summary>Fields</summary>${fieldRows(inner, schemas, depth + 1)}</details>`
}

function answerRow(
  status: string,
  { description, headers = {}, content = {} }: Response,
  schemas: Schemas,
): Html {
  const types = Object.keys(content)
  const schema = content['application/json']?.schema
  const isRefusal = schema?.$ref?.endsWith('/Refusal') === true
  return html`<div><dt><code>${status}</code><span class="type">${types.join(', ')}</span></dt>
<dd>${marked(description)}${Object.entries(headers).map(([name, told]) => html` <span class="limits"><code>${name}</code>: ${told.description ?? ''}</span>`)}${isRefusal ? '' : nested(schema, schemas, 0)}</dd></div>`
}

/** Backticks become code; nothing else is markup. */
const marked = (text: string): (Html | string)[] =>
  text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))

const shortPath = (path: string) => path.replace(/^\/api\/(promptkeep\/1\.0|2\.0\/mlflow)/, '')
