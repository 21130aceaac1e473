/**
 * The judge's verdicts on the items that people compared, out of the rows of `evaluate judge` or of `evaluate compare`. Both
 * orders count: a winner is who wins in both, all else is a tie. A question without both verdicts has none here.
 */
import { DataError } from '../base/errors.ts';
import { mean } from '../base/intervals.ts';
import { isObject, readRows } from '../base/rows.ts';
import { compareCalls } from './judge-comparisons.ts';
import { readJudgeRows } from './judge-rows.ts';
import { summarizeJudge } from './judge-summary.ts';
import type { PeopleChoice } from './people.ts';
import type { PeopleItem } from './people-items.ts';
import type { EvaluationRow } from './rows.ts';

export type JudgedItem = Pick<PeopleItem, 'id' | 'modelA' | 'modelB'> & { readonly question: { readonly id: string } };

/** By item. Throws DataError where no row is about any of them. */
export function readJudgeVerdicts(file: string, items: readonly JudgedItem[]): Map<string, PeopleChoice> {
  const { rows } = readRows(file);
  const isComparison = rows.some(({ value }) => isObject(value) && Array.isArray(value['judge']));
  const preferences = isComparison
    ? ofComparison(
        rows.map(({ value }) => value as EvaluationRow),
        items,
      )
    : ofJudge(file, items);
  if (preferences.size === 0) {
    throw new DataError(
      file,
      { message: 'expected verdicts on the items of the study, found none on the same questions and models' },
      { hint: 'give the rows.jsonl of `evaluate judge` on the same questions, its models called as in the study' },
    );
  }
  return new Map(
    [...preferences].flatMap(([item, preference]) => (preference === undefined ? [] : [[item, choiceOf(preference)]])),
  );
}

/** 1: model A won, 0: model B, else a tie. */
const choiceOf = (preference: number): PeopleChoice => {
  if (preference === 0.5) return 'tie';
  return preference > 0.5 ? 'win' : 'lose';
};

type Preferences = ReadonlyMap<string, number | undefined>;

/** Of several samples the mean; of several turns the last, whose judge has seen all. */
function ofJudge(file: string, items: readonly JudgedItem[]): Preferences {
  const rows = readJudgeRows(file);
  const mode = rows.every(({ models }) => models.length === 1) ? 'single' : 'pair';
  const pairs = new Map(
    items.map(({ modelA, modelB }) => [JSON.stringify([modelA, modelB]), [modelA, modelB] as const]),
  );
  const found = [...pairs.values()].flatMap((pair) => {
    const comparisons = compareCalls(mode, rows, pair);
    const itemOf = new Map(
      items
        .filter(({ modelA, modelB }) => modelA === pair[0] && modelB === pair[1])
        .map((item) => [item.question.id, item.id]),
    );
    const lastTurn = new Map<string, number>();
    for (const { question, turn } of comparisons) lastTurn.set(question, Math.max(turn, lastTurn.get(question) ?? 0));
    return [...lastTurn].flatMap(([question, last]) => {
      const item = itemOf.get(question);
      const own = comparisons.filter((one) => one.question === question && one.turn === last);
      const known = own.flatMap(({ preference }) => preference ?? []);
      return item === undefined ? [] : [[item, known.length === 0 ? undefined : mean(known)] as const];
    });
  });
  return new Map(found);
}

/** A run's model before and after its training. */
function ofComparison(rows: readonly EvaluationRow[], items: readonly JudgedItem[]): Preferences {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const own = items.filter(({ modelA, modelB }) => modelA === 'before' && modelB === 'after');
  return new Map(
    own.flatMap(({ id, question }) => {
      const row = byId.get(question.id);
      const summary = row && summarizeJudge([row]);
      if (summary === undefined) return [];
      const { compared, wins, losses } = summary;
      return [[id, compared === 0 ? undefined : (1 + losses - wins) / 2] as const];
    }),
  );
}
