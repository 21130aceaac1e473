/**
 * What a training will learn, token by token, as one HTML page that asks the network for nothing and runs no script:
 * each conversation's tokens in order, those with a label coloured, line ends and special tokens visible, a token's id
 * in its title. Above them what was counted. Marks are drawn by the style sheet, so that copying gives what the tokens
 * say. All text out of data goes through `html`.
 */
import type { DataIssue } from '../base/errors.ts';
import type { EncodingReceipt } from '../data/pack.ts';
import { count, plural, share } from './format.ts';
import { type Html, html, trusted } from './html.ts';
import { style } from './style.ts';
import { tableHtml } from './table.ts';

export interface PreviewToken {
  readonly id: number;
  /** Empty for the first tokens of a character that several share: the last of them has it. */
  readonly text: string;
  /** Whether it has a label: is to be predicted from the tokens before it. */
  readonly isTrained: boolean;
  readonly isSpecial: boolean;
}

export interface PreviewRow {
  /** The conversation's. */
  readonly id: string;
  readonly tokens: readonly PreviewToken[];
}

export interface PreviewInput {
  readonly files: readonly string[];
  readonly model: string;
  readonly template: string;
  readonly maxTokens: number;
  /** Over all rows, not only those shown. */
  readonly receipt: EncodingReceipt;
  readonly rows: readonly PreviewRow[];
}

const policy = "default-src 'none'; style-src 'unsafe-inline'";

/** More are only counted: the page is for reading. */
const shownIssues = 100;

export function previewPage({ files, model, template, maxTokens, receipt, rows }: PreviewInput): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>What is trained: ${files.join(', ')}</title>
<style>${trusted(style)}${trusted(tokenStyle)}</style>
</head>
<body>
<header class="top">
<h1>What is trained, token by token</h1>
<p class="soft">${files.join(', ')} · tokenizer of ${model} · chat template ${template} · at most ${plural(maxTokens, 'token')} a row</p>
</header>
<main>
${countsHtml(receipt)}
${issuesHtml('Dropped', 'left out whole', receipt.dropped)}
${issuesHtml('Cut', 'lost their last turns', receipt.cut)}
<section id="rows">
<h2>Tokens</h2>
<p>${shownText(rows.length, receipt.kept)} ${legend}</p>
${rows.map(rowHtml)}</section>
</main>
</body>
</html>
`.markup;
}

function countsHtml({ rows, kept, tokens, labelTokens, cut, dropped }: EncodingReceipt): Html {
  return tableHtml({
    caption: 'What was counted, over all rows',
    columns: [{ label: '' }, { label: '', numeric: true }],
    rows: [
      ['Rows', count(rows)],
      ['Kept', share(kept, rows)],
      ['Cut', share(cut.length, rows)],
      ['Dropped', share(dropped.length, rows)],
      ['Tokens', count(tokens)],
      ['Trained tokens', share(labelTokens, tokens)],
      ['Tokens of a mean row', kept === 0 ? 'none' : count(tokens / kept)],
    ],
  });
}

function issuesHtml(title: string, what: string, issues: readonly DataIssue[]): Html {
  if (issues.length === 0) return html``;
  const rest = issues.length - shownIssues;
  return html`<details>
<summary>${title}: ${plural(issues.length, 'row')} ${what}</summary>
<ul>
${issues.slice(0, shownIssues).map(({ row, message }) => html`<li>${row === undefined ? '' : `row ${row}: `}${message}</li>\n`)}${
  rest > 0 ? html`<li>… and ${count(rest)} more</li>\n` : ''
}</ul>
</details>`;
}

const shownText = (shown: number, kept: number): string =>
  shown === 0
    ? 'No row is left to show.'
    : shown === kept
      ? `All rows: ${count(kept)}.`
      : `The first ${count(shown)} of ${plural(kept, 'row')}.`;

const legend = html`<span class="tokens key"><span class="t trained">trained</span> <span class="t">read only</span> <span class="t special">special</span> <span class="t part"></span> a part of the character after it. Point at a token to see its id.</span>`;

function rowHtml({ id, tokens }: PreviewRow, index: number): Html {
  const trained = tokens.filter(({ isTrained }) => isTrained).length;
  return html`<article class="sample" id="row-${index + 1}">
<h3>${id} · ${plural(tokens.length, 'token')}, ${count(trained)} trained</h3>
<div class="words tokens" lang="und">${tokens.map(tokenHtml)}</div>
</article>
`;
}

function tokenHtml({ id, text, isTrained, isSpecial }: PreviewToken): Html {
  const names = ['t', isTrained ? 'trained' : '', isSpecial ? 'special' : '', text === '' ? 'part' : ''];
  return html`<span class="${names.filter((name) => name !== '').join(' ')}" title="${id}">${marked(text)}</span>`;
}

/** Line ends and tabs in elements of their own, which the style sheet marks. HTML would take \r for a line end. */
const marked = (text: string): Html[] =>
  text.split(/(\r|\n|\t)/).map((piece) => {
    if (piece === '\n') return html`<i class="line">\n</i>`;
    if (piece === '\t') return html`<i class="tab">\t</i>`;
    return piece === '\r' ? html`<i class="return">${trusted('&#13;')}</i>` : html`${piece}`;
  });

/** Each token is an island for the order of writing: a mark for right-to-left cannot reach out of its own. */
const tokenStyle = `
:root { --trained: #cfe8d5; --special: #6b3fa0; }
@media (prefers-color-scheme: dark) { :root { --trained: #1d4a2c; --special: #c3a2ee; } }
.tokens { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Noto Sans Mono", monospace; font-size: 0.9rem; line-height: 1.9; }
.key { font-size: 0.8rem; white-space: normal; }
.t { unicode-bidi: isolate; padding: 0.15em 0; box-shadow: inset 1px 0 0 var(--line); color: var(--soft); }
.t:hover { outline: 1px solid var(--after); }
.t.trained { background: var(--trained); color: var(--ink); box-shadow: inset 1px 0 0 var(--paper); }
.t.special { color: var(--special); font-weight: 600; }
.t.part::before { content: "⋯"; opacity: 0.6; }
.t i { font-style: normal; }
.t i::before { opacity: 0.55; }
.t .line::before { content: "↵"; }
.t .tab::before { content: "⇥"; }
.t .return::before { content: "␍"; }
@media print { :root { --trained: #cfe8d5; --special: #6b3fa0; } }
`;
