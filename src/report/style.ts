/**
 * The report page's style sheet. System fonts, one accent for "after" and a grey for "before", light and dark by the
 * reader's setting, tables that scroll on a phone, and a form for paper. No url(), no @import, no @font-face: the page
 * asks the network for nothing.
 */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #1d1f22; --soft: #5c6168; --line: #dcdedf; --panel: #f3f4f2;
  --before: #9aa1a9; --after: #1f6f8b; --good: #1b6b3a; --bad: #a5341f; --mark: #b7791f;
  --win: #1f6f8b; --tie: #b9bec4; --lose: #a85a2b; --on-slice: #fff;
  --series-1: #1f6f8b; --series-2: #c2703d; --series-3: #5b7f3a; --series-4: #7a5c99; --series-5: #a3862a; --series-6: #a34b62;
  --removed: #f8dcd5; --added: #d3ebdb; --shade: rgb(20 24 28 / 0.45);
  --plot-background: transparent;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181b; --ink: #e6e7e8; --soft: #a0a6ad; --line: #34383d; --panel: #1f2226;
    --before: #757d86; --after: #5ab0cd; --good: #6fc48f; --bad: #ec8d78; --mark: #d9a650;
    --win: #4c9dba; --tie: #5a6169; --lose: #d08a58; --on-slice: #101214;
    --series-1: #5ab0cd; --series-2: #dd9562; --series-3: #93ba6c; --series-4: #b094d0; --series-5: #d3b95c; --series-6: #d88aa0;
    --removed: #5a2b24; --added: #1f4a31; --shade: rgb(0 0 0 / 0.6);
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; padding: 0 1.25rem 5rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif;
}
main, header.top, footer { max-width: 60rem; margin-inline: auto; }
p, li { max-width: 42rem; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 2rem; letter-spacing: -0.015em; margin: 3rem 0 0.25rem; }
h2 { font-size: 1.3rem; margin: 3.5rem 0 0.75rem; padding-top: 0.9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 0.5rem; }
a { color: var(--after); text-underline-offset: 0.15em; }
.soft, caption, figcaption, .meta { color: var(--soft); }
.soft, caption, figcaption, .meta, nav, footer { font-size: 0.875rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; list-style: none; margin: 1.25rem 0 0; padding: 0; }
.provenance {
  margin: 1.5rem 0 0; padding: 0.9rem 1.2rem; background: var(--panel); border-left: 4px solid var(--after);
}
.provenance p { margin: 0.35rem 0; }
.provenance strong { display: block; }
.note { border-left: 3px solid var(--mark); padding-left: 0.9rem; }

.scroll { overflow-x: auto; margin: 1rem 0; }
.scroll:focus-visible { outline: 2px solid var(--after); outline-offset: 2px; }
table { border-collapse: collapse; font-size: 0.925rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 0.4rem; white-space: nowrap; }
th, td { padding: 0.4rem 0.9rem 0.4rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); white-space: nowrap; font-weight: 500; font-size: 0.85rem; vertical-align: bottom; }
tbody th { font-weight: 500; min-width: 8.5rem; }
.number { text-align: right; white-space: nowrap; }
.repeated { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
tr:has(.repeated) > *, tr:has(+ tr .repeated) > * { border-bottom-color: transparent; }
tr:has(.repeated):not(:has(+ tr .repeated)) > * { border-bottom-color: var(--line); }
.short { white-space: nowrap; }
th.differs::before { content: "≠ "; color: var(--mark); font-weight: 600; }
a.rows { color: inherit; text-decoration: underline dotted var(--soft); text-underline-offset: 0.2em; }
a.rows:hover, a.rows:focus-visible { color: var(--after); text-decoration-style: solid; }
.headline table { width: 100%; }
.headline.several table { width: auto; }
.headline.several tbody th { min-width: 13rem; }
.headline td, .headline th { padding-block: 0.65rem; }
.headline .n, .headline .range { display: block; color: var(--soft); font-size: 0.85rem; font-weight: 400; }
.headline td.number { font-size: 1.05rem; }

.headline .group th { padding-top: 1.4rem; font-size: 1.05rem; font-weight: 600; }
.verdict { font-weight: 600; white-space: nowrap; }
.better { color: var(--good); }
.worse { color: var(--bad); }
.unclear { color: var(--soft); }

.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 23rem), 1fr)); gap: 1.5rem 2rem; }
.charts { margin: 1.25rem 0; align-items: start; }
figure { margin: 0; max-width: 29rem; }
figure b { display: block; font-size: 0.925rem; font-weight: 600; margin-bottom: 0.35rem; }
figcaption { margin-top: 0.35rem; }
svg.chart { display: block; width: 100%; height: auto; overflow: visible; font-size: 12px; }
svg.chart text { white-space: pre; }
.legend { margin: 0 0 0.35rem; font-size: 0.85rem; color: var(--soft); }
.legend span { margin-right: 1rem; white-space: nowrap; }
.legend i { display: inline-block; width: 0.75em; height: 0.75em; margin-right: 0.4em; border-radius: 2px; }
.legend .before { background: var(--before); }
.legend .after { background: var(--after); }
.legend .win, .slice.win { background: var(--win); fill: var(--win); }
.legend .tie, .slice.tie { background: var(--tie); fill: var(--tie); }
.legend .lose, .slice.lose { background: var(--lose); fill: var(--lose); }
.legend .series-1 { background: var(--series-1); }
.legend .series-2 { background: var(--series-2); }
.legend .series-3 { background: var(--series-3); }
.legend .series-4 { background: var(--series-4); }
.legend .series-5 { background: var(--series-5); }
.legend .series-6 { background: var(--series-6); }
.legend .pale { opacity: 0.45; }
.charts.small { grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); }
svg.pie { max-width: 14rem; }
.slice path, .slice circle { stroke: var(--paper); stroke-width: 1.5; }
.slice text { fill: currentColor; font-size: 13px; }
.slice.win .inside, .slice.lose .inside { fill: var(--on-slice); }

.sample { margin: 1.25rem 0; padding: 1rem 1.1rem 1.1rem; border: 1px solid var(--line); border-radius: 6px; }
.sample:target { border-color: var(--after); box-shadow: 0 0 0 1px var(--after); }
.sample h3 { margin: 0 0 0.5rem; font-size: 0.875rem; font-weight: 500; color: var(--soft); }
.words { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; }
.prompt { font-weight: 500; max-width: 46rem; }
.answers { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 1.1rem; margin-top: 0.9rem; }
.answers h4 { margin: 0 0 0.3rem; padding-top: 0.4rem; border-top: 3px solid var(--line); font-size: 0.85rem; }
.answers .before h4 { border-color: var(--before); }
.answers .after h4 { border-color: var(--after); }
.answers .words { font-size: 0.925rem; }
.empty { color: var(--soft); font-style: italic; }
.sample .meta { margin: 0.9rem 0 0; max-width: none; font-variant-numeric: tabular-nums; }
.sample .meta span { display: inline-block; margin-right: 1.2rem; }

details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 500; padding: 0.35rem 0; }
pre {
  overflow-x: auto; padding: 0.9rem 1rem; background: var(--panel); border-radius: 6px; font-size: 0.85rem;
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Noto Sans Mono", monospace; tab-size: 2;
}
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Noto Sans Mono", monospace; font-size: 0.92em; }

dialog.browser {
  width: min(72rem, 100vw); height: min(100dvh, 100vh); max-width: none; max-height: none; margin: 0 0 0 auto; padding: 0;
  border: 0; border-left: 1px solid var(--line); background: var(--paper); color: var(--ink); overflow-y: auto;
  overscroll-behavior: contain;
}
dialog.browser::backdrop { background: var(--shade); }
.browser .head {
  position: sticky; top: 0; z-index: 1; padding: 1rem 1.25rem 0.75rem; background: var(--paper);
  border-bottom: 1px solid var(--line);
}
.browser h2 { margin: 0 3rem 0 0; padding: 0; border: 0; font-size: 1.1rem; }
.browser .counted { margin: 0.1rem 0 0.6rem; color: var(--soft); font-size: 0.875rem; }
.browser button, .browser select, .browser input {
  font: inherit; font-size: 0.875rem; color: inherit; background: var(--paper); border: 1px solid var(--line);
  border-radius: 6px; padding: 0.35rem 0.6rem; max-width: 100%;
}
.browser button { cursor: pointer; }
.browser button:hover { background: var(--panel); }
.browser :is(button, select, input, summary):focus-visible { outline: 2px solid var(--after); outline-offset: 1px; }
.browser .close { position: absolute; top: 0.8rem; right: 1rem; font-size: 1.2rem; line-height: 1; padding: 0.3rem 0.65rem; }
.browser .tools { display: flex; flex-wrap: wrap; gap: 0.5rem 0.75rem; align-items: end; }
.browser .tools input { flex: 1 1 14rem; }
.browser .selects { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: end; }
.browser .selects label span { display: block; font-size: 0.75rem; color: var(--soft); }
.browser .selects select { max-width: 12rem; }
.browser .chosen { border-color: var(--after); box-shadow: 0 0 0 1px var(--after); }
.browser .chip { border-color: var(--after); color: var(--after); }
.browser .list { padding: 0.5rem 1.25rem 1rem; }
.browser .more { display: block; margin: 0 auto 2rem; }
.browser .more[hidden] { display: none; }
.browser .none { color: var(--soft); }
.browser details.row { margin: 0; border-bottom: 1px solid var(--line); }
.browser details.row > summary {
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 400; padding: 0.5rem 0; font-size: 0.925rem;
}
.browser details.row[open] > summary .begin { display: none; }
.browser .mark {
  display: inline-block; padding: 0 0.45em; margin-right: 0.1rem; border-radius: 1em; background: var(--panel);
  color: var(--soft); font-size: 0.78rem;
}
.browser .begin { color: var(--soft); }
.browser .body { padding: 0.25rem 0 1.25rem; }
.browser .comparing { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; margin: 0.9rem 0 0.25rem; font-size: 0.875rem; color: var(--soft); }
.browser .comparing [aria-pressed="true"] { background: var(--after); border-color: var(--after); color: var(--paper); }
.browser .comparing select { max-width: 14rem; }
.browser .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 1rem 1.25rem; margin-top: 0.75rem; }
.browser .grid.two { grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
.browser h4 { margin: 0 0 0.3rem; padding-top: 0.4rem; border-top: 3px solid var(--line); font-size: 0.85rem; }
.browser .words { font-size: 0.925rem; }
.browser del { background: var(--removed); text-decoration: line-through; text-decoration-thickness: 1px; border-radius: 2px; }
.browser ins { background: var(--added); text-decoration: none; border-radius: 2px; }
.browser dl { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; margin: 0.9rem 0 0; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
.browser dl div { display: flex; gap: 0.5em; }
.browser dt { color: var(--soft); }
.browser dd { margin: 0; }

@media (max-width: 46rem) {
  .answers { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 40rem) {
  h1 { font-size: 1.6rem; margin-top: 2rem; }
  .headline:not(.several) thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .headline:not(.several) table, .headline:not(.several) tbody { display: block; }
  .headline:not(.several) tr { display: grid; grid-template-columns: 1fr 1fr; padding: 0.8rem 0; border-bottom: 1px solid var(--line); }
  .headline:not(.several) th, .headline:not(.several) td { border: 0; padding: 0.15rem 0; text-align: left; }
  .headline:not(.several) th { grid-column: 1 / -1; }
  .headline:not(.several) td::before { content: attr(data-label); display: block; font-size: 0.8rem; color: var(--soft); }
  .headline:not(.several) th { font-weight: 600; padding-bottom: 0.4rem; }
  .headline:not(.several) td.empty::before { content: none; }
}
@page { margin: 14mm; }
@media print {
  :root {
    --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --panel: #f4f4f4;
    --before: #9aa1a9; --after: #1f6f8b; --good: #1b6b3a; --bad: #a5341f; --mark: #b7791f;
    --win: #1f6f8b; --tie: #b9bec4; --lose: #a85a2b; --on-slice: #fff;
    --series-1: #1f6f8b; --series-2: #c2703d; --series-3: #5b7f3a; --series-4: #7a5c99; --series-5: #a3862a; --series-6: #a34b62;
    color-scheme: light;
  }
  html { font-size: 9.5pt; }
  body { padding: 0; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav, dialog.browser { display: none; }
  a.rows { text-decoration-thickness: 0.5px; }
  a:not(.rows) { color: var(--after); }
  h1 { margin-top: 0; }
  h2, h3, h2 + p, h3 + p { break-after: avoid; }
  .sample, figure, tr, .provenance, .note { break-inside: avoid; }
  .scroll { overflow: visible; }
  /* What would be wider than the paper is broken into lines: nothing scrolls there. */
  table { max-width: 100%; font-size: 0.85rem; }
  caption, .number:not(.short) { white-space: normal; }
  th, td { padding-right: 0.6rem; overflow-wrap: break-word; }
  .headline td, .headline td.number { font-size: inherit; }
  .headline.several table { font-size: 0.8rem; min-width: 0; width: 100%; }
  .headline.several th:first-child { min-width: 0; width: auto; }
  thead { display: table-header-group; }
  caption, thead, h4 { break-after: avoid; }
  tbody tr:first-child { break-before: avoid; }
  /* A table that fits on a page stays whole; a longer one has its head again on the next. */
  .scroll:not(.headline, .headline *, :has(tbody tr:nth-child(14))) { break-inside: avoid; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
}
`;
