/**
 * The report as Markdown, for a repository or a chat: the page's sentences and tables without its charts, the sample
 * answers in fenced blocks, and where the rest is to be found.
 */
import type { EvaluationRow } from '../evaluate/rows.ts';
import { judgeCaution } from './evaluation-parts.ts';
import { languageName, plural } from './format.ts';
import { hasJudge, headlineFigures, headlineRows } from './headline.ts';
import { escapeMarkdown, fenced } from './markdown-text.ts';
import type { Block, Part } from './part.ts';
import type { ReportInput } from './report-input.ts';
import { headlineNotes, provenanceOf, reportParts } from './report-parts.ts';
import { measures, splitSamples } from './samples.ts';
import { type Table, tableMarkdown } from './table.ts';

export function reportMarkdown(input: ReportInput): string {
  const sections = [
    `# ${escapeMarkdown(input.title)}`,
    `Finished ${escapeMarkdown(input.finishedAt)}`,
    provenanceOf(input)
      .map((sentence) => `> ${escapeMarkdown(sentence)}`)
      .join('\n>\n'),
    '## Before and after',
    ...headlineNotes(input).map(escapeMarkdown),
    ...(input.evaluation.summary.questions === 0 ? [] : [tableMarkdown(headlineTable(input))]),
    ...(hasJudge(headlineRows(input.evaluation.summary)) ? [escapeMarkdown(judgeCaution)] : []),
    ...samplesMarkdown(input.evaluation.rows),
    ...reportParts(input).flatMap(partMarkdown),
    'The charts and all answers are in index.html, all figures and rows in report.json.',
  ];
  return `${sections.join('\n\n')}\n`;
}

function headlineTable({ evaluation }: ReportInput): Table {
  const numeric = (label: string) => ({ label, numeric: true });
  return {
    caption: 'Before and after training',
    columns: [
      { label: 'measure' },
      ...['n', 'before', 'after', 'difference', '95 % interval'].map(numeric),
      { label: 'in a word' },
      { label: 'denominators' },
    ],
    rows: headlineRows(evaluation.summary).map((row) => [
      `${row.metric}, ${languageName(row.language)} (${row.scale})`,
      ...headlineFigures(row),
      row.verdict,
      row.denominators,
    ]),
  };
}

function samplesMarkdown(rows: readonly EvaluationRow[]): string[] {
  const { shown, rest } = splitSamples(rows);
  return [
    '## Answers side by side',
    `${shown.length} of ${plural(rows.length, 'question')}, taken in turn from each language and category in the order of the file, not by how well they went.`,
    ...shown.flatMap((row) => [
      `### ${escapeMarkdown(`${row.id}, ${languageName(row.language)}, ${row.category}`)}`,
      fenced(row.prompt),
      'Teacher’s reference:',
      fenced(row.reference),
      'Student before:',
      fenced(row.before.text),
      'Student after:',
      fenced(row.after.text),
      measures(row).map(escapeMarkdown).join('; '),
    ]),
    ...(rest.length > 0 ? [`The other ${plural(rest.length, 'question')}: in index.html and report.json.`] : []),
  ];
}

const partMarkdown = ({ title, blocks }: Part): string[] =>
  [`## ${title}`, ...blocks.map(blockMarkdown)].filter(Boolean);

function blockMarkdown(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `### ${escapeMarkdown(block.text)}`;
    case 'text':
    case 'note':
      return escapeMarkdown(block.text);
    case 'table':
      return tableMarkdown(block.table);
    case 'charts':
      return '';
    case 'json':
      return `${escapeMarkdown(block.summary)}:\n\n${fenced(JSON.stringify(block.value, null, 2), 'json')}`;
  }
}
