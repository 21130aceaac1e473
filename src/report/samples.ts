/**
 * The answers side by side: teacher's reference, student before, student after, with everything measured on them. Which
 * rows come first is decided by language, category and order alone, never by how well an answer did.
 */
import type { EvaluationRow, JudgeScores, ModelAnswer } from '../evaluate/rows.ts';
import type { ScoredAnswer } from '../evaluate/scorer.ts';
import { fixed } from './format.ts';
import { type Html, html } from './html.ts';
import type { Words } from './words.ts';

export const sampleCount = 12;

/**
 * The languages take turns, and within a language its categories, each giving its rows in order: every category is seen
 * once before any is seen twice. The rest keeps its order.
 */
export function splitSamples(
  rows: readonly EvaluationRow[],
  number = sampleCount,
): { shown: readonly EvaluationRow[]; rest: readonly EvaluationRow[] } {
  const queues = [...grouped(rows, ({ language }) => language).values()].map((ofLanguage) =>
    takeTurns([...grouped(ofLanguage, ({ category }) => category).values()]),
  );
  const shown = takeTurns(queues).slice(0, number);
  const isShown = new Set(shown);
  return { shown, rest: rows.filter((row) => !isShown.has(row)) };
}

function grouped(
  rows: readonly EvaluationRow[],
  keyOf: (row: EvaluationRow) => string,
): Map<string, readonly EvaluationRow[]> {
  const groups = new Map<string, EvaluationRow[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group === undefined) groups.set(keyOf(row), [row]);
    else group.push(row);
  }
  return groups;
}

/** The first of each queue, then the second of each, … */
function takeTurns<T>(queues: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...queues.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => queues.flatMap((queue) => queue.slice(i, i + 1))).flat();
}

/** A student's answer under its own heading: `before` and `after` of one run, or `after` of several. */
export interface SampleAnswer {
  readonly kind: string;
  readonly title: string;
  readonly answer: ModelAnswer;
}

/** `number`: its place in the page's anchors. */
export function sampleHtml(row: EvaluationRow, answers: readonly SampleAnswer[], number: number, words: Words): Html {
  const { say } = words;
  const shown = answers.map(({ kind, title, answer }) =>
    answerHtml(kind, `${title}${ending(answer, words)}`, answer.text, row.language, words),
  );
  const meta = measures(row, words).map((measure) => html`<span>${measure}</span> `);
  return html`<article class="sample" id="row-${number}">
<h3>${row.id} · ${words.languageName(row.language)} · ${row.category}</h3>
<div class="words prompt" dir="auto" lang="${row.language}">${withCode(row.prompt)}</div>
<div class="answers">
${answerHtml('reference', say('Teacher’s reference'), row.reference, row.language, words)}
${shown}
</div>
${answers.some(({ kind }) => kind === 'before') ? html`<p class="meta">${meta}</p>\n` : ''}</article>
`;
}

function answerHtml(side: string, title: string, answer: string, language: string, { say }: Words): Html {
  const shown =
    answer.trim() === ''
      ? html`<div class="words empty">${say('(empty answer)')}</div>`
      : html`<div class="words" dir="auto" lang="${language}">${withCode(answer)}</div>`;
  return html`<section class="${side}"><h4>${title}</h4>${shown}</section>\n`;
}

/** Fenced code in fixed-width letters, fences and all: an answer is shown as it is, not as Markdown would have it. */
function withCode(answer: string): Html[] {
  const pieces = answer.split(/(^```[\s\S]*?(?:\n```[^\n]*|$(?![\s\S])))/m);
  return pieces.map((piece, i) => (i % 2 === 1 ? html`<code>${piece}</code>` : html`${piece}`));
}

/** An answer that ran into the length limit is not a whole answer: said where it stands. */
function ending({ finishReason }: ModelAnswer, { say }: Words): string {
  if (finishReason === 'stop') return '';
  return finishReason === 'length'
    ? say(' (cut off at the length limit)')
    : say(' (ended: {reason})', { reason: finishReason });
}

/** Everything measured on one row, a sentence each. */
export function measures(row: EvaluationRow, words: Words): string[] {
  const { say } = words;
  const { referenceBefore, referenceAfter, teacherBefore, teacherAfter } = row;
  const change = (before: string, after: string) => ({ before, after });
  return [
    say('Loss of the reference {before} → {after} nats per token ({tokens} tokens)', {
      ...change(lossOf(referenceBefore, words), lossOf(referenceAfter, words)),
      tokens: referenceAfter.tokens,
    }),
    say('ROUGE-L {before} → {after}', change(fixed(row.rougeBefore, 3), fixed(row.rougeAfter, 3))),
    ...(teacherBefore === undefined && teacherAfter === undefined
      ? []
      : [
          say(
            'Teacher’s log-probability per token {before} → {after}',
            change(perToken(teacherBefore, words), perToken(teacherAfter, words)),
          ),
        ]),
    ...row.judge.map((scores, i) =>
      say(i === 0 ? 'Teacher’s score, before shown first: {scores}' : 'Teacher’s score, after shown first: {scores}', {
        scores: scoresText(scores, words),
      }),
    ),
  ];
}

const lossOf = ({ sum, tokens }: ScoredAnswer, { say }: Words): string =>
  tokens === 0 ? say('none') : fixed(-sum / tokens, 3);

function perToken(answer: ScoredAnswer | undefined, { say }: Words): string {
  if (answer === undefined) return say('not given');
  return answer.tokens === 0
    ? say('none (0 tokens)')
    : say('{value} ({tokens} tokens)', { value: fixed(answer.sum / answer.tokens, 3), tokens: answer.tokens });
}

function scoresText({ before, after, problem }: JudgeScores, { say }: Words): string {
  if (before === undefined && after === undefined) return say(problem?.kind ?? 'unreadable');
  return `${before ?? say('unreadable')} → ${after ?? say('unreadable')}`;
}
