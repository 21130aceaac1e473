/**
 * The report as one HTML page that asks the network for nothing: styles, charts and the browser of rows are in it, and its
 * Content-Security-Policy names them by their hashes and lets nothing else run or load (but, where the rows are many, the
 * scripts of rows beside it). All text out of data goes through `html`, or stands as JSON in a script that does not run.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readText } from '../base/jsonl.ts';
import { assetsFolder } from '../base/paths.ts';
import type { EvaluationRow } from '../evaluate/rows.ts';
import { judgeCaution } from './evaluation-parts.ts';
import { count } from './format.ts';
import { type HeadlineRow, hasJudge, headlineFigures, headlineRows } from './headline.ts';
import { type Html, html, trusted } from './html.ts';
import type { Block, Chart, Part } from './part.ts';
import type { Report } from './report-input.ts';
import { headlineFilter, headlineTable, type NamedRun, notesOfRuns, provenanceOf, runsOf } from './report-parts.ts';
import { type PackedRows, scriptJson } from './row-files.ts';
import { rowsAddress } from './rows.ts';
import { type SampleAnswer, sampleHtml, splitSamples } from './samples.ts';
import { style } from './style.ts';
import { tableHtml } from './table.ts';
import { english, type Words } from './words.ts';

/** Of assets/report, in the order in which they need each other. */
const scriptOf = (): string =>
  ['word-diff.js', 'row-browser.js'].map((name) => readText(join(assetsFolder, 'report', name))).join('\n');

const hashOf = (content: string): string => `'sha256-${createHash('sha256').update(content).digest('base64')}'`;

export function reportPage(report: Report, parts: readonly Part[], rows: PackedRows, words: Words = english): string {
  const { say } = words;
  const { title } = report;
  const runs = runsOf(report);
  const script = scriptOf();
  const beside = rows.files.length > 0 ? " 'self'" : '';
  const policy = `default-src 'none'; script-src ${hashOf(script)}${beside}; style-src ${hashOf(style)}; img-src data:; base-uri 'none'; form-action 'none'`;
  const contents: [string, string][] = [
    ...(runs.length > 0
      ? ([
          ['headline', say('Before and after')],
          ['answers', say('Answers')],
        ] satisfies [string, string][])
      : []),
    ...parts.map(({ id, title: name }): [string, string] => [id, name]),
  ];
  return html`<!doctype html>
<html lang="${words.language === 'zh' ? 'zh-Hans' : 'en'}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<header class="top">
<h1>${title}</h1>
${runs.map((run) => provenanceHtml(run, runs.length > 1, words))}
<nav aria-label="${say('Contents')}"><ul>${contents.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>\n`)}</ul></nav>
</header>
<main>
${
  runs.length === 0
    ? ''
    : html`${headlineHtml(runs, words)}
${samplesHtml(runs, words)}`
}
${parts.map(partHtml)}
</main>
<footer class="soft"><p>${say('A figure with a dotted line opens the rows behind it. All figures stand in figures.csv beside this page, figures and rows in report.json. Folded parts are not printed; open them first.')}</p></footer>
<script type="application/json" id="row-words">${trusted(scriptJson(JSON.stringify(browserWords(words))))}</script>
<script type="application/json" id="row-sets">${trusted(scriptJson(JSON.stringify(rows.sets)))}</script>
${rows.inline.map(({ set, json }) => html`<script type="application/json" id="rows-${set}">${trusted(scriptJson(json))}</script>\n`)}<script>${trusted(script)}</script>
</body>
</html>
`.markup;
}

/** What the browser of rows says; `value …`: names of what rows are chosen by. */
function browserWords({ say }: Words): Record<string, string> {
  return {
    close: say('Close'),
    search: say('Search in these rows'),
    all: say('all'),
    loading: say('Loading …'),
    missing: say('These rows stand in files beside the page, and one cannot be read:'),
    counted: say('{n} of {all} rows'),
    more: say('Show more ({n} left)'),
    none: say('No row is like that.'),
    remove: say('Show the others too'),
    compare: say('Compare word by word'),
    with: say('with'),
    reference: say('Teacher’s reference'),
    empty: say('(empty answer)'),
    'value asked': say('calls asked'),
    'value answered': say('calls answered'),
    'value both': say('questions read in both orders'),
    'value yes': say('counted'),
    'value words': say('by words'),
    'value characters': say('by character'),
    'value win': say('win'),
    'value loss': say('lose'),
    'value lose': say('lose'),
    'value tie': say('tie'),
  };
}

function provenanceHtml({ name, input }: NamedRun, isNamed: boolean, words: Words): Html {
  if (input === undefined) return isNamed ? html`<p class="soft">${name}</p>\n` : html``;
  const { finishedAt } = input;
  const finished = html`<p class="soft">${isNamed ? html`<b>${name}</b> · ` : ''}${words.say('Finished')} <time datetime="${finishedAt}">${moment(finishedAt)}</time></p>`;
  return html`${finished}
<div class="provenance" role="note" aria-label="${words.say('Who taught whom')}">${provenanceOf(input, words).map(sentenceHtml)}</div>
`;
}

const sentenceHtml = (sentence: string, i: number): Html =>
  i === 0 ? html`<p><strong>${sentence}</strong></p>` : html`<p>${sentence}</p>`;

/** `2025-03-01T12:30:45.123Z` → `2025-03-01 12:30 UTC`; anything else as it is. */
const moment = (iso: string): string =>
  iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?Z$/, '$1 $2 UTC');

function headlineHtml(runs: readonly NamedRun[], words: Words): Html {
  const { say } = words;
  const judged = runs.some(({ evaluation }) => hasJudge(headlineRows(evaluation.summary)));
  const caution = judged ? html`<p class="note">${say(judgeCaution)}</p>` : '';
  const [only] = runs;
  const notes = notesOfRuns(runs, words);
  const isEmpty = runs.every(({ evaluation }) => evaluation.summary.questions === 0);
  const table = isEmpty ? '' : runs.length === 1 ? oneRunTable(only!, words) : tableHtml(headlineTable(runs, words));
  return html`<section id="headline" class="headline${runs.length > 1 ? ' several' : ''}">
<h2>${say('Before and after')}</h2>
${notes.map((sentence) => html`<p>${sentence}</p>\n`)}
${table}${isEmpty ? '' : caution}
</section>
`;
}

function oneRunTable({ id, evaluation }: NamedRun, words: Words): Html {
  const { say } = words;
  const rows = headlineRows(evaluation.summary, words);
  const labels = [say('before'), say('after'), say('difference, 95 % interval'), say('in a word')];
  const heads = labels.map((label, i) => html`<th scope="col" class="${i < 3 ? 'number' : 'text'}">${label}</th>`);
  const languages = [...new Set(rows.map(({ language }) => language))];
  const groups = languages.map((language) => {
    const own = rows.filter((row) => row.language === language);
    const questions = words.plural(own[0]!.questions, 'question');
    return html`<tbody>
<tr class="group"><th colspan="5" scope="rowgroup">${words.languageName(language)}${say(', ')}${questions}</th></tr>
${own.map((row) => headlineRowHtml(row, id, labels, words))}</tbody>
`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${say('Before and after training')}"><table>
<thead><tr><th scope="col">${say('measure and n')}</th>${heads}</tr></thead>
${groups}</table></div>
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

function headlineRowHtml(row: HeadlineRow, id: string, labels: readonly string[], words: Words): Html {
  const { say } = words;
  const [, before, after, difference, range] = headlineFigures(row, words) as [string, string, string, string, string];
  const address = rowsAddress({ set: `${id}-questions`, filter: headlineFilter(row) });
  const link = (shown: string) => html`<a class="rows" href="${address}">${shown}</a>`;
  const name = html`<th scope="row"><a href="#${partOf[row.measure]}">${row.metric}</a>
<span class="n">${row.scale}</span><span class="n">${say('n: ')}${row.denominators}</span></th>`;
  const verdict = html`<td class="verdict-cell" data-label="${labels[3]!}"><span class="verdict ${toneOf[row.verdict]}">${say(row.verdict)}</span></td>`;
  if (row.difference === undefined) return html`<tr>${name}<td class="empty" colspan="3"></td>${verdict}</tr>\n`;
  return html`<tr>${name}<td class="number" data-label="${labels[0]!}">${link(before)}</td><td class="number" data-label="${labels[1]!}">${link(after)}</td>
<td class="number" data-label="${labels[2]!}">${link(difference)}<span class="range">${range}</span></td>${verdict}</tr>
`;
}

/** The first run's questions, with the answers of all runs that were asked them. */
function samplesHtml(runs: readonly NamedRun[], words: Words): Html {
  const { say } = words;
  const [first] = runs;
  const { rows } = first!.evaluation;
  const { shown, rest } = splitSamples(rows);
  const numberOf = new Map(rows.map((row, i) => [row, i + 1]));
  const all = rowsAddress({ set: `${first!.id}-questions`, filter: {} });
  return html`<section id="answers">
<h2>${say('Answers side by side')}</h2>
<p>${say('{n} of {questions}, taken in turn from each language and category in the order of the file, not by how well they went.', { n: count(shown.length), questions: words.plural(rows.length, 'question') })}</p>
${shown.map((row) => sampleHtml(row, answersOf(row, runs, words), numberOf.get(row)!, words))}${
  rest.length > 0
    ? html`<p><a class="rows" href="${all}">${say('All {questions} in the browser of rows', { questions: words.plural(rows.length, 'question') })}</a></p>\n`
    : ''
}</section>
`;
}

export function answersOf(row: EvaluationRow, runs: readonly NamedRun[], { say }: Words): SampleAnswer[] {
  if (runs.length === 1) {
    return [
      { kind: 'before', title: say('Student before'), answer: row.before },
      { kind: 'after', title: say('Student after'), answer: row.after },
    ];
  }
  return runs.flatMap(({ name, evaluation }): SampleAnswer[] => {
    const own = evaluation.rows.find(({ id, prompt }) => id === row.id && prompt === row.prompt);
    return own ? [{ kind: 'after', title: say('{name}, after', { name }), answer: own.after }] : [];
  });
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
      return html`<div class="${block.charts.every(({ isSmall }) => isSmall) ? 'charts small' : 'charts'}">${block.charts.map(chartHtml)}</div>\n`;
    case 'folded':
      return html`<details><summary>${block.summary}</summary>\n${block.blocks.map(blockHtml)}</details>\n`;
    case 'json':
      return html`<details><summary>${block.summary}</summary><pre>${JSON.stringify(block.value, null, 2)}</pre></details>\n`;
  }
}

function chartHtml({ title, svg, caption, legend, rows }: Chart): Html {
  const key = legend?.map(([kind, name]) => html`<span><i class="${kind}"></i>${name}</span>`);
  const shown = rows ? html`<a class="rows" href="${rowsAddress(rows)}">${caption}</a>` : caption;
  return html`<figure>
<b>${title}</b>${key ? html`<div class="legend">${key}</div>` : ''}
${svg}
<figcaption>${shown}</figcaption>
</figure>
`;
}
