/** The whole look of the HTML report. No font, picture or script comes from anywhere. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b636b; --line: #d9dde1; --ground: #fff; --panel: #f6f7f8;
  --good: #1a7f4b; --bad: #c2352b; --broken: #9a6700; --none: #8a929a; --some: #3b6fb6; --allowed: #e3f1e8; --link: #2458a6 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --soft: #a2abb3; --line: #363c42; --ground: #15181b;
  --panel: #1d2125; --good: #4cc38a; --bad: #ff7b72; --broken: #e0b252; --none: #7d858c; --some: #79a8e8;
  --allowed: #1d3327; --link: #8ab4f8 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.25rem 1rem 4rem; max-width: 62rem; color: var(--ink); background: var(--ground);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem }
p { margin: .25rem 0 .75rem }
a { color: var(--link) }
.soft { color: var(--soft) }
.badge { display: inline-block; padding: 0 .5rem; border: 1px solid currentcolor; border-radius: 1rem; font-size: .8rem;
  font-weight: 600; white-space: nowrap; vertical-align: .1em }
.passed { color: var(--good) } .failed { color: var(--bad) } .invalid, .error { color: var(--broken) }
.not-concerned, .shard, .not-run { color: var(--soft) }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; min-width: min(100%, 32rem); font-size: .9rem; overflow-wrap: normal }
tbody th { min-width: 7.5rem; overflow-wrap: anywhere }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line) }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .75rem 0; font-size: .9rem }
dt { color: var(--soft) } dd { margin: 0; min-width: 0 }
code, pre { font: .85rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
pre { margin: .25rem 0; padding: .6rem .75rem; background: var(--panel); border-radius: .4rem; white-space: pre-wrap }
.charts { display: flex; flex-wrap: wrap; gap: 1rem 2rem; margin: .75rem 0 }
figure { margin: 0; max-width: 100% } figcaption { font-size: .85rem; color: var(--soft); margin-bottom: .25rem }
svg { display: block; max-width: 100%; height: auto; overflow: visible }
svg text { fill: var(--soft); font-size: 10px }
svg .good { fill: var(--good) } svg .bad { fill: var(--bad) } svg .broken { fill: var(--broken) }
svg .none { fill: var(--none) } svg .some { fill: var(--some) } svg .ground { fill: var(--line) }
svg .allowed { fill: var(--allowed) } svg .axis { stroke: var(--soft) } svg .margin { stroke: var(--bad); stroke-dasharray: 3 2 }
svg .range { stroke: var(--some); stroke-width: 2 } svg .point { fill: var(--some) } svg .marked { fill: var(--broken) }
details { border-bottom: 1px solid var(--line) }
summary { cursor: pointer; padding: .45rem 0; display: grid; grid-template-columns: .8rem 6rem minmax(0, 15rem) minmax(0, 1fr); gap: .1rem .6rem;
  font-size: .9rem; align-items: baseline }
summary:focus-visible, a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
summary::-webkit-details-marker { display: none }
summary::before { content: "▸"; color: var(--soft) } details[open] > summary::before { content: "▾" }
summary b { font-weight: 600 }
h4 { font-size: .9rem; margin: .75rem 0 .25rem }
details > div { padding: 0 0 1rem }
.trial { margin: .75rem 0 0; padding-left: .75rem; border-left: 3px solid var(--line) }
.trial.failed { border-color: var(--bad) } .trial.error { border-color: var(--broken) } .trial.passed { border-color: var(--good) }
.trial, .trial p { color: var(--ink) }
ul.scores { margin: .25rem 0; padding-left: 1.1rem; font-size: .9rem }
ul.reasons { padding-left: 1.1rem; margin: .25rem 0 }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .5rem }
  summary { grid-template-columns: .8rem 6rem minmax(0, 1fr) } summary .why { grid-column: 2 / -1 } }
@media print { details { break-inside: avoid } }
`
