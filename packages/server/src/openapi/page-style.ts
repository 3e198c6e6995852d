/** The page's only style sheet: light and dark, from 320 pixels on. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fbfaf7; --raised: #ffffff; --line: #e0ddd4; --ink: #1f2421; --quiet: #5f675f; --accent: #2f5d50;
  --code: #f2f0ea; --get: #2f5d50; --post: #7a4a00; --patch: #5b3f8c; --delete: #a3261d;
  font: 1rem/1.55 system-ui, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #161918; --raised: #1e2321; --line: #343b38; --ink: #e8ebe9; --quiet: #a3ada8; --accent: #7fc4ae;
    --code: #262c2a; --get: #7fc4ae; --post: #f0c069; --patch: #c3adf2; --delete: #ff9d92;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: break-word; }
a { color: var(--accent); text-underline-offset: 0.15em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--raised); padding: 0.5rem 1rem; }
code, pre { font: 0.875em/1.5 ui-monospace, monospace; }
code { background: var(--code); border-radius: 0.25rem; padding: 0.1em 0.3em; overflow-wrap: anywhere; }
pre { background: var(--code); border-radius: 0.5rem; margin: 0; padding: 0.75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
pre code { background: none; padding: 0; font-size: 1em; }
.contents { padding: 1rem 1.25rem; border-bottom: 1px solid var(--line); }
.contents h2 { font-size: 1rem; margin: 0 0 0.5rem; }
.contents details { border-top: 1px solid var(--line); }
.contents summary { cursor: pointer; padding: 0.4rem 0; font-weight: 600; }
.contents ul { list-style: none; margin: 0 0 0.5rem; padding: 0; font-size: 0.875rem; }
.contents li a { display: flex; gap: 0.5rem; align-items: baseline; padding: 0.2rem 0; text-decoration: none; color: inherit; min-width: 0; overflow-wrap: anywhere; }
.contents li a:hover { text-decoration: underline; }
main { padding: 1.25rem; max-width: 62rem; min-width: 0; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 0.25rem; }
.version { color: var(--quiet); margin: 0 0 1rem; }
main > section { margin-top: 3rem; }
main > section > h2 { font-size: 1.375rem; margin: 0; }
main > section > p { color: var(--quiet); margin: 0.25rem 0 1rem; }
article { background: var(--raised); border: 1px solid var(--line); border-radius: 0.75rem; padding: 1rem 1.25rem 1.25rem; margin-top: 1rem; }
article h3 { font: 600 1rem/1.4 ui-monospace, monospace; margin: 0; overflow-wrap: anywhere; }
article h3 a { color: inherit; text-decoration: none; }
article h3 a:hover { text-decoration: underline; }
article h4 { font-size: 0.8125rem; letter-spacing: 0.04em; text-transform: uppercase; color: var(--quiet); margin: 1.25rem 0 0.4rem; }
article p { margin: 0.5rem 0 0; }
.method { font: 700 0.75rem/1 ui-monospace, monospace; text-transform: uppercase; flex: none; }
.contents .method { width: 3.6rem; }
.get { color: var(--get); } .post { color: var(--post); } .patch, .put { color: var(--patch); } .delete { color: var(--delete); }
.who { color: var(--quiet); font-size: 0.9375rem; }
dl { margin: 0; }
dl.rows > div { border-top: 1px solid var(--line); padding: 0.45rem 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: 0 1rem; }
dl.rows > div:first-child { border-top: 0; padding-top: 0; }
dt { min-width: 0; } dd { margin: 0; min-width: 0; }
dt .type { color: var(--quiet); font-size: 0.875rem; display: block; }
dt .required { color: var(--delete); font-size: 0.875rem; }
.limits { color: var(--quiet); font-size: 0.875rem; }
.fields { margin-top: 0.5rem; }
.fields > summary { cursor: pointer; color: var(--accent); font-size: 0.9375rem; }
.fields > dl { margin: 0.5rem 0 0; padding-left: 0.9rem; border-left: 2px solid var(--line); }
@media (min-width: 45rem) {
  dl.rows > div { grid-template-columns: minmax(9rem, 15rem) minmax(0, 1fr); }
}
@media (max-width: 63.99rem) {
  .contents { max-height: 40vh; overflow-y: auto; }
}
@media (min-width: 64rem) {
  body { display: grid; grid-template-columns: 20rem minmax(0, 1fr); }
  .contents { position: sticky; top: 0; height: 100vh; overflow-y: auto; border: 0; border-right: 1px solid var(--line); }
  main { padding: 2rem 3rem 6rem; }
}
@media print {
  .contents { display: none; } article { break-inside: avoid; }
}
`
