import type { Best, ClientFigures, Figures } from './figures.ts'

type Pick = (figures: ClientFigures) => Best | number | undefined

interface Row {
  readonly what: string
  readonly digits: number
  readonly ours: Pick
  readonly theirs?: Pick
  /** Ours that asks our real server. */
  readonly isReal?: boolean
  readonly only?: readonly (keyof Figures)[]
}

const ROWS: readonly Row[] = [
  { what: 'awaited Map.get, ns', digits: 0, ours: ({ ns }) => ns.mapGet },
  { what: '… bytes allocated', digits: 0, ours: ({ bytes }) => bytes.mapGet },
  { what: 'cached load, awaited, ns', digits: 0, ours: ({ ns }) => ns.cachedLoad },
  { what: '… bytes allocated', digits: 0, ours: ({ bytes }) => bytes.cachedLoad },
  { what: 'the call alone, not awaited, ns', digits: 0, ours: ({ ns }) => ns.callAlone },
  { what: '… bytes allocated', digits: 0, ours: ({ bytes }) => bytes.callAlone },
  {
    what: '`set.get`, ns (others: cached load)',
    digits: 1,
    ours: ({ ns }) => ns.setGet,
    theirs: ({ ns }) => ns.cachedLoad,
  },
  {
    what: '… bytes allocated',
    digits: 0,
    ours: ({ bytes }) => bytes.setGet,
    theirs: ({ bytes }) => bytes.cachedLoad,
  },
  { what: 'render, five variables, ns', digits: 0, ours: ({ ns }) => ns.render },
  { what: '… bytes allocated', digits: 0, ours: ({ bytes }) => bytes.render },
  {
    what: 'cold load from a stand-in, ms',
    digits: 2,
    ours: ({ coldMs }) => coldMs,
    only: ['langfuse'],
  },
  {
    what: 'cold load from the real server, ms',
    digits: 2,
    ours: ({ coldMs }) => coldMs,
    isReal: true,
    only: ['mlflow'],
  },
  { what: 'requests of a cold load', digits: 1, ours: ({ coldRequests }) => coldRequests },
]

const RIVALS = ['langfuse', 'mlflow', 'mustache'] as const
const TITLES = { langfuse: '@langfuse/client', mlflow: 'MLflow (Python)', mustache: 'Mustache' } as const

export function loadTable(figures: Figures): string {
  const header = [
    'best of many rounds (median)',
    'ours',
    ...RIVALS.flatMap((rival) => [TITLES[rival], 'ours is better by']),
  ]
  const rows = ROWS.map((row) => {
    const our = row.ours(row.isReal ? figures.oursReal : figures.ours)
    const cells = RIVALS.flatMap((rival) => {
      const of = figures[rival]
      const isAsked = row.only === undefined || row.only.includes(rival)
      const their = isAsked && of ? (row.theirs ?? row.ours)(of) : undefined
      return their === undefined || our === undefined
        ? ['–', '–']
        : [show(their, row.digits), ratio(our, their)]
    })
    return [row.what, our === undefined ? '–' : show(our, row.digits), ...cells]
  })
  const line = header.map((_, i) => (i === 0 ? '---' : '--:'))
  return [header, line, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

const least = (value: Best | number) => (typeof value === 'number' ? value : value.best)

function show(value: Best | number, digits: number): string {
  const number = (n: number) =>
    n.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return typeof value === 'number' ? number(value) : `${number(value.best)} (${number(value.median)})`
}

/** Nobody divides by what is as good as nothing. */
function ratio(our: Best | number, their: Best | number): string {
  if (least(our) < 0.5) return least(their) < 0.5 ? '1×' : 'all of it'
  return times(least(their) / least(our))
}

const times = (value: number) =>
  `${value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)}×`

/** What was aimed at, and what was reached. */
export function aimsOf({ ours, langfuse, mlflow, mustache }: Figures): string {
  const of = (value: Best | undefined) => value?.best ?? Number.NaN
  const load = of(ours.ns.cachedLoad)
  const map = of(ours.ns.mapGet)
  const aims: [string, number, (ratio: number) => boolean][] = [
    [
      `a cached load: at most 1.6× an awaited Map.get in the same process (${map.toFixed(0)} ns)`,
      load / map,
      (ratio) => ratio <= 1.6,
    ],
    [
      'a cached load: at least 2× quicker than Langfuse',
      of(langfuse.ns.cachedLoad) / load,
      (ratio) => ratio >= 2,
    ],
    [
      'a cached load: at least 1,000× quicker than MLflow (Python)',
      of(mlflow?.ns.cachedLoad) / load,
      (ratio) => ratio >= 1_000,
    ],
    [
      '`set.get`: at least 4× quicker than a cached load of Langfuse',
      of(langfuse.ns.cachedLoad) / of(ours.ns.setGet),
      (ratio) => ratio >= 4,
    ],
    [
      'render: at least 5× quicker than Mustache',
      of(mustache.ns.render) / of(ours.ns.render),
      (ratio) => ratio >= 5,
    ],
  ]
  const rows = aims.map(([what, measured, isReached]) => {
    const reached = Number.isNaN(measured) ? 'not measured' : isReached(measured) ? 'yes' : '**no**'
    return `| ${what} | ${Number.isNaN(measured) ? '–' : times(measured)} | ${reached} |`
  })
  return ['| aim | measured | reached |', '|---|--:|---|', ...rows].join('\n')
}
