/**
 * The answers side by side: teacher's reference, student before, student after, with everything measured on them. Which
 * rows come first is decided by language, category and order alone, never by how well an answer did.
 */
import type { EvaluationRow, JudgeScores, ModelAnswer } from '../evaluate/rows.ts';
import type { ScoredAnswer } from '../evaluate/scorer.ts';
import { fixed, languageName } from './format.ts';
import { type Html, html } from './html.ts';

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

export function sampleHtml(row: EvaluationRow, number: number): Html {
  return html`<article class="sample" id="row-${number}">
<h3>${row.id} · ${languageName(row.language)} · ${row.category}</h3>
<div class="words prompt" dir="auto" lang="${row.language}">${withCode(row.prompt)}</div>
<div class="answers">
${answerHtml('reference', 'Teacher’s reference', row.reference, row.language)}
${answerHtml('before', `Student before${ending(row.before)}`, row.before.text, row.language)}
${answerHtml('after', `Student after${ending(row.after)}`, row.after.text, row.language)}
</div>
<p class="meta">${measures(row).map((measure) => html`<span>${measure}</span> `)}</p>
</article>
`;
}

function answerHtml(side: string, title: string, answer: string, language: string): Html {
  const words =
    answer.trim() === ''
      ? html`<div class="words empty">(empty answer)</div>`
      : html`<div class="words" dir="auto" lang="${language}">${withCode(answer)}</div>`;
  return html`<section class="${side}"><h4>${title}</h4>${words}</section>`;
}

/** Fenced code in fixed-width letters, fences and all: an answer is shown as it is, not as Markdown would have it. */
function withCode(answer: string): Html[] {
  const pieces = answer.split(/(^```[\s\S]*?(?:\n```[^\n]*|$(?![\s\S])))/m);
  return pieces.map((piece, i) => (i % 2 === 1 ? html`<code>${piece}</code>` : html`${piece}`));
}

/** An answer that ran into the length limit is not a whole answer: said where it stands. */
function ending({ finishReason }: ModelAnswer): string {
  if (finishReason === 'stop') return '';
  return finishReason === 'length' ? ' (cut off at the length limit)' : ` (ended: ${finishReason})`;
}

/** Everything measured on one row, a sentence each. */
export function measures(row: EvaluationRow): string[] {
  const { referenceBefore, referenceAfter, teacherBefore, teacherAfter } = row;
  return [
    `Loss of the reference ${lossOf(referenceBefore)} → ${lossOf(referenceAfter)} nats per token (${referenceAfter.tokens} tokens)`,
    `ROUGE-L ${fixed(row.rougeBefore, 3)} → ${fixed(row.rougeAfter, 3)}`,
    ...(teacherBefore === undefined && teacherAfter === undefined
      ? []
      : [`Teacher’s log-probability per token ${perToken(teacherBefore)} → ${perToken(teacherAfter)}`]),
    ...row.judge.map(
      (scores, i) => `Teacher’s score, ${i === 0 ? 'before' : 'after'} shown first: ${scoresText(scores)}`,
    ),
  ];
}

const lossOf = ({ sum, tokens }: ScoredAnswer): string => (tokens === 0 ? 'none' : fixed(-sum / tokens, 3));

function perToken(answer: ScoredAnswer | undefined): string {
  if (answer === undefined) return 'not given';
  return answer.tokens === 0 ? 'none (0 tokens)' : `${fixed(answer.sum / answer.tokens, 3)} (${answer.tokens} tokens)`;
}

function scoresText({ before, after }: JudgeScores): string {
  if (before === undefined && after === undefined) return 'unreadable';
  return `${before ?? 'unreadable'} → ${after ?? 'unreadable'}`;
}
