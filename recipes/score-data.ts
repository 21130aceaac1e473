/**
 * Data kept by its quality: a teacher gives the last answer of each row a score of 1 to 5 (src/generate/quality.ts); OUT gets
 * the rows from the threshold on as they stand in the files, the file of rejects the others with score and reason. The
 * verdicts are in the ledger: another threshold asks nothing again. Rows stream; the files are read several times.
 * ./understudy data score answers.jsonl --provider openai --model gpt-4.1-mini --budget-usd 5 --threshold 4 --out good.jsonl
 */
import { CardTally } from '../src/data/card.ts';
import { type RowSink, withSinks } from '../src/data/row-sink.ts';
import { qualityRange, qualityRequests, type Rating, rateAnswers } from '../src/generate/quality.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import { upperBoundUsd } from '../src/teacher/prices.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import { writeCard } from './data-card.ts';
import { assertMaySpend, type PlannedCalls } from './quote.ts';
import { allRows, type RatedRow, type ScoreFiles, type Survey, soundRows } from './score-input.ts';

export interface ScoreConfig {
  readonly teacher: TeacherConfig;
  /** Longest verdict. */
  readonly maxTokens: number;
  /** The lowest score that is kept. */
  readonly threshold: number;
}

export interface ScoreResult {
  readonly out: string;
  readonly rejects: string;
  readonly teacher: string;
  readonly threshold: number;
  readonly scale: typeof qualityRange;
  /** Of the files. rows = broken + asked. */
  readonly rows: number;
  readonly broken: number;
  /** Rows to be rated; asked = scored + unreadable + failed. */
  readonly asked: number;
  /** scored = kept + below. */
  readonly scored: number;
  readonly unreadable: number;
  readonly failed: number;
  readonly kept: number;
  readonly below: number;
  /** null where no row has a score. */
  readonly mean: number | null;
  /** Scores that were given, ascending. */
  readonly histogram: readonly { readonly score: number; readonly rows: number }[];
}

/** Writes all or nothing. `survey`: of the files, which must not change meanwhile. */
export async function run(
  { teacher: wanted, maxTokens, threshold }: ScoreConfig,
  { files, out, rejects, card }: ScoreFiles,
  { asked, broken, form }: Survey,
  context: RunContext,
): Promise<ScoreResult> {
  // 1. What it may cost.
  const { ledger, budgetUsd, signal, progress } = context;
  const teacher = await context.teacher(wanted);
  const rated = () => soundRows(files, signal);
  assertMaySpend([{ teacher, calls: [await plannedRatings(rated, asked, maxTokens, teacher)] }], context);

  // 2. Scores, and where they send each row.
  const scoring = askProgress(progress('scores'));
  const ask = { teacher, ledger, stage: 'quality', budgetUsd, signal, ...scoring.listen };
  const tally = new CardTally();
  const counts = { kept: 0, below: 0, unreadable: 0, failed: 0 };
  const scores = new Map<number, number>();
  await withSinks([[out, 'lines'] as const, [rejects, 'lines'] as const], async (sinks) => {
    const [keep, reject] = sinks as readonly [RowSink, RowSink];
    if (broken > 0) await rejectBroken(files, reject, signal);
    for await (const { item, rating } of rateAnswers(rated, asked, { maxTokens }, ask)) {
      const { score } = rating;
      if (score !== undefined) scores.set(score, (scores.get(score) ?? 0) + 1);
      const fate = score === undefined ? rating.problem : score >= threshold ? 'kept' : 'below';
      counts[fate] += 1;
      if (fate !== 'kept') await reject.write(rejectedRow(item, fate, rating));
      else {
        tally.add(item.record);
        await keep.write(item.value);
      }
    }
  });
  scoring.finish();

  // 3. What came of it.
  const { kept, below, unreadable, failed } = counts;
  if (card !== undefined) {
    const { lowest, highest } = qualityRange;
    const name = `quality by ${teacher.name}, ${lowest} to ${highest}: kept from ${threshold}`;
    const filters = [
      { name: 'reading', rows: asked + broken, rejected: present({ 'broken row': broken }) },
      { name, rows: asked, rejected: present({ 'below the threshold': below, unreadable, failed }) },
    ];
    writeCard(card, { out, form, tally, filters });
  }
  const histogram = [...scores].sort(([a], [b]) => a - b).map(([score, rows]) => ({ score, rows }));
  const scored = kept + below;
  const sum = histogram.reduce((total, { score, rows }) => total + score * rows, 0);
  return {
    ...{ out, rejects, teacher: teacher.name, threshold, scale: qualityRange },
    ...{ rows: asked + broken, broken, asked, scored, ...counts },
    mean: scored === 0 ? null : sum / scored,
    histogram,
  };
}

async function rejectBroken(files: readonly string[], reject: RowSink, signal: AbortSignal): Promise<void> {
  for await (const row of allRows(files, signal)) {
    if ('problem' in row)
      await reject.write({ ...row.place, reason: 'broken row', detail: row.problem, value: row.value });
  }
}

function rejectedRow({ place, value }: RatedRow, reason: string, { calls, ...rating }: Rating): object {
  const found =
    rating.problem === undefined
      ? { score: rating.score, detail: rating.reason }
      : { detail: rating.detail, text: rating.text };
  return { ...place, reason, ...found, calls, value };
}

const present = (counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

/** As quote.ts plans: each verdict as long as it may be, none asked for again. */
async function plannedRatings(
  rows: () => AsyncIterable<RatedRow>,
  calls: number,
  maxTokens: number,
  { paid, price, model }: Teacher,
): Promise<PlannedCalls> {
  if (!paid || !price) return { calls, boundUsd: undefined };
  const toRequest = qualityRequests({ model, maxTokens });
  let boundUsd = 0;
  for await (const row of rows()) boundUsd += upperBoundUsd(price, toRequest(row));
  return { calls, boundUsd };
}
