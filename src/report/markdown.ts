/**
 * The report as Markdown, for a repository or a chat: the page's sentences and tables without its charts, the sample
 * answers in fenced blocks, and where the rest is to be found.
 */
import { judgeCaution } from './evaluation-parts.ts';
import { hasJudge, headlineRows } from './headline.ts';
import { escapeMarkdown, fenced } from './markdown-text.ts';
import { answersOf } from './page.ts';
import type { Block, Part } from './part.ts';
import type { Report } from './report-input.ts';
import { headlineTable, type NamedRun, notesOfRuns, provenanceOf, runsOf } from './report-parts.ts';
import { measures, splitSamples } from './samples.ts';
import { tableMarkdown } from './table.ts';
import { english, type Words } from './words.ts';

export function reportMarkdown(report: Report, parts: readonly Part[], words: Words = english): string {
  const { say } = words;
  const runs = runsOf(report);
  const sections = [
    `# ${escapeMarkdown(report.title)}`,
    ...runs.flatMap((run) => provenanceMarkdown(run, runs.length > 1, words)),
    ...(runs.length > 0 ? headlineMarkdown(runs, words) : []),
    ...(runs.length > 0 ? samplesMarkdown(runs, words) : []),
    ...parts.flatMap(partMarkdown),
    escapeMarkdown(
      say('The charts and all answers are in index.html, all figures in figures.csv, figures and rows in report.json.'),
    ),
  ];
  return `${sections.join('\n\n')}\n`;
}

function provenanceMarkdown({ name, input }: NamedRun, isNamed: boolean, words: Words): string[] {
  if (input === undefined) return isNamed ? [`**${escapeMarkdown(name)}**`] : [];
  const finished = `${words.say('Finished')} ${escapeMarkdown(input.finishedAt)}`;
  return [
    isNamed ? `**${escapeMarkdown(name)}**. ${finished}` : finished,
    provenanceOf(input, words)
      .map((sentence) => `> ${escapeMarkdown(sentence)}`)
      .join('\n>\n'),
  ];
}

function headlineMarkdown(runs: readonly NamedRun[], words: Words): string[] {
  const notes = notesOfRuns(runs, words);
  const isEmpty = runs.every(({ evaluation }) => evaluation.summary.questions === 0);
  const judged = runs.some(({ evaluation }) => hasJudge(headlineRows(evaluation.summary)));
  return [
    `## ${words.say('Before and after')}`,
    ...notes.map(escapeMarkdown),
    ...(isEmpty ? [] : [tableMarkdown(headlineTable(runs, words))]),
    ...(judged ? [escapeMarkdown(words.say(judgeCaution))] : []),
  ];
}

function samplesMarkdown(runs: readonly NamedRun[], words: Words): string[] {
  const { say } = words;
  const { rows } = runs[0]!.evaluation;
  const { shown, rest } = splitSamples(rows);
  const questions = words.plural(rows.length, 'question');
  return [
    `## ${say('Answers side by side')}`,
    escapeMarkdown(
      say(
        '{n} of {questions}, taken in turn from each language and category in the order of the file, not by how well they went.',
        {
          n: shown.length,
          questions,
        },
      ),
    ),
    ...shown.flatMap((row) => [
      `### ${escapeMarkdown(`${row.id}, ${words.languageName(row.language)}, ${row.category}`)}`,
      fenced(row.prompt),
      `${say('Teacher’s reference')}:`,
      fenced(row.reference),
      ...answersOf(row, runs, words).flatMap(({ title, answer }) => [`${escapeMarkdown(title)}:`, fenced(answer.text)]),
      ...(runs.length === 1 ? [measures(row, words).map(escapeMarkdown).join('; ')] : []),
    ]),
    ...(rest.length > 0
      ? [
          escapeMarkdown(
            say('The other {questions}: in index.html and report.json.', {
              questions: words.plural(rest.length, 'question'),
            }),
          ),
        ]
      : []),
  ];
}

const partMarkdown = ({ title, blocks }: Part): string[] =>
  [`## ${escapeMarkdown(title)}`, ...blocks.map(blockMarkdown)].filter(Boolean);

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
    case 'folded':
      return [`### ${escapeMarkdown(block.summary)}`, ...block.blocks.map(blockMarkdown)].filter(Boolean).join('\n\n');
    case 'json':
      return `${escapeMarkdown(block.summary)}:\n\n${fenced(JSON.stringify(block.value, null, 2), 'json')}`;
  }
}
