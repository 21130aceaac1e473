/**
 * The report as one HTML page that asks the network for nothing: styles and charts are in it, there is no script, and
 * its Content-Security-Policy lets a browser load nothing else. All text out of data goes through `html`.
 */
import type { EvaluationRow } from '../evaluate/rows.ts';
import { judgeCaution } from './evaluation-parts.ts';
import { count, languageName, plural } from './format.ts';
import { type HeadlineRow, hasJudge, headlineFigures, headlineRows } from './headline.ts';
import { type Html, html, trusted } from './html.ts';
import type { Block, Chart, Part } from './part.ts';
import type { ReportInput } from './report-input.ts';
import { headlineNotes, provenanceOf, reportParts } from './report-parts.ts';
import { sampleHtml, splitSamples } from './samples.ts';
import { style } from './style.ts';
import { tableHtml } from './table.ts';

const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

export function reportPage(input: ReportInput): string {
  const parts = reportParts(input);
  const contents = [
    ['headline', 'Before and after'],
    ['answers', 'Answers'],
    ...parts.map(({ id, title }) => [id, title]),
  ] as [string, string][];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${input.title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<header class="top">
<h1>${input.title}</h1>
<p class="soft">Finished <time datetime="${input.finishedAt}">${moment(input.finishedAt)}</time></p>
<div class="provenance" role="note" aria-label="Who taught whom">${provenanceOf(input).map(provenanceHtml)}</div>
<nav aria-label="Contents"><ul>${contents.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>\n`)}</ul></nav>
</header>
<main>
${headlineHtml(input)}
${samplesHtml(input.evaluation.rows)}
${parts.map(partHtml)}
</main>
<footer class="soft"><p>All figures and rows behind this page stand in report.json beside it. Folded parts are not printed; open them first.</p></footer>
</body>
</html>
`.markup;
}

const provenanceHtml = (sentence: string, i: number): Html =>
  i === 0 ? html`<p><strong>${sentence}</strong></p>` : html`<p>${sentence}</p>`;

/** `2025-03-01T12:30:45.123Z` → `2025-03-01 12:30 UTC`; anything else as it is. */
const moment = (iso: string): string =>
  iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?Z$/, '$1 $2 UTC');

function headlineHtml(input: ReportInput): Html {
  const rows = headlineRows(input.evaluation.summary);
  const labels = ['before', 'after', 'difference, 95 % interval', 'in a word'];
  const heads = labels.map((label, i) => html`<th scope="col" class="${i < 3 ? 'number' : 'text'}">${label}</th>`);
  const languages = [...new Set(rows.map(({ language }) => language))];
  const groups = languages.map((language) => {
    const own = rows.filter((row) => row.language === language);
    return html`<tbody>
<tr class="group"><th colspan="5" scope="rowgroup">${languageName(language)}, ${plural(own[0]!.questions, 'question')}</th></tr>
${own.map(headlineRowHtml)}</tbody>
`;
  });
  return html`<section id="headline" class="headline">
<h2>Before and after</h2>
${headlineNotes(input).map((sentence) => html`<p>${sentence}</p>\n`)}
${
  rows.length === 0
    ? ''
    : html`<div class="scroll" tabindex="0" role="region" aria-label="Before and after training"><table>
<thead><tr><th scope="col">measure and n</th>${heads}</tr></thead>
${groups}</table></div>
${hasJudge(rows) ? html`<p class="note">${judgeCaution}</p>` : ''}`
}
</section>
`;
}

const partOf: Readonly<Record<HeadlineRow['measure'], string>> = {
  heldOutLoss: 'loss',
  teacherLogprob: 'judge',
  teacherScore: 'judge',
  rougeL: 'rouge',
  rougeLCharacters: 'rouge',
};

const toneOf: Readonly<Record<HeadlineRow['verdict'], string>> = {
  better: 'better',
  worse: 'worse',
  'no clear difference': 'unclear',
  'too few to say': 'unclear',
  'not measured': 'unclear',
};

function headlineRowHtml(row: HeadlineRow): Html {
  const [, before, after, difference, range] = headlineFigures(row) as [string, string, string, string, string];
  const name = html`<th scope="row"><a href="#${partOf[row.measure]}">${row.metric}</a>
<span class="n">${row.scale}</span><span class="n">n: ${row.denominators}</span></th>`;
  const verdict = html`<td class="verdict-cell" data-label="in a word"><span class="verdict ${toneOf[row.verdict]}">${row.verdict}</span></td>`;
  if (row.difference === undefined) return html`<tr>${name}<td class="empty" colspan="3"></td>${verdict}</tr>\n`;
  return html`<tr>${name}<td class="number" data-label="before">${before}</td><td class="number" data-label="after">${after}</td>
<td class="number" data-label="difference, 95 % interval">${difference}<span class="range">${range}</span></td>${verdict}</tr>
`;
}

function samplesHtml(rows: readonly EvaluationRow[]): Html {
  const { shown, rest } = splitSamples(rows);
  const numberOf = new Map(rows.map((row, i) => [row, i + 1]));
  const articles = (some: readonly EvaluationRow[]) => some.map((row) => sampleHtml(row, numberOf.get(row)!));
  const others = html`<details><summary>The other ${plural(rest.length, 'question')}</summary>
${articles(rest)}</details>
`;
  return html`<section id="answers">
<h2>Answers side by side</h2>
<p>${count(shown.length)} of ${plural(rows.length, 'question')}, taken in turn from each language and category in the order of the file, not by how well they went.</p>
${articles(shown)}${rest.length > 0 ? others : ''}
</section>
`;
}

export const partHtml = ({ id, title, blocks }: Part): Html => html`<section id="${id}">
<h2>${title}</h2>
${blocks.map(blockHtml)}</section>
`;

function blockHtml(block: Block): Html {
  switch (block.kind) {
    case 'heading':
      return html`<h3>${block.text}</h3>\n`;
    case 'text':
      return html`<p>${block.text}</p>\n`;
    case 'note':
      return html`<p class="note">${block.text}</p>\n`;
    case 'table':
      return tableHtml(block.table);
    case 'charts':
      return html`<div class="charts">${block.charts.map(chartHtml)}</div>\n`;
    case 'json':
      return html`<details><summary>${block.summary}</summary><pre>${JSON.stringify(block.value, null, 2)}</pre></details>\n`;
  }
}

const legend = html`<div class="legend"><span><i class="before"></i>before</span><span><i class="after"></i>after</span></div>`;

const chartHtml = ({ title, svg, caption, legend: hasLegend }: Chart): Html => html`<figure>
<b>${title}</b>${hasLegend ? legend : ''}
${svg}
<figcaption>${caption}</figcaption>
</figure>
`;
