/**
 * The curve of best-of-n from a file of ranked answers: reward, length, and what others say of the answers — ROUGE-L to
 * references, or the judge's scores that the candidates carry. Words only, no model.
 */
import { ConfigError } from '../src/base/errors.ts';
import { readAnswers } from '../src/evaluate/answer-pairs.ts';
import { type AnswerPool, type BestOfCurve, bestOfCurve } from '../src/evaluate/best-of-n.ts';
import { rougeOf } from '../src/evaluate/rouge.ts';
import { countWords } from '../src/text/words.ts';
import { readRankedRows } from './rank-input.ts';
import type { RankedRow } from './rank-rows.ts';

export interface CurveResult extends BestOfCurve {
  readonly file: string;
  /** Candidates without a reward: in no figure. */
  readonly unscored: number;
  /** Prompts with a reference; absent where none were given. */
  readonly referenced?: number;
}

export const rougeMeasure = 'ROUGE-L';
export const judgeMeasure = 'judge score';

/** Throws ConfigError where no prompt has two answers with rewards, or no reference fits. */
export function curveOf({ file, references, seed }: { file: string; references?: string; seed?: number }): CurveResult {
  const rows = readRankedRows(file);
  const known = references === undefined ? undefined : referencesOf(references, rows);
  const pools = rows.map((row) => poolOf(row, known?.get(row.id)));
  const curve = bestOfCurve(pools, seed === undefined ? {} : { seed });
  if (!curve) {
    throw new ConfigError(`${file}: no prompt has two answers with a reward: there is nothing to pick from`, {
      hint: 'sample more: ./understudy answer --best-of 16 --reward-model FOLDER',
    });
  }
  const unscored = rows.reduce((sum, { candidates }) => sum + candidates.filter(isUnscored).length, 0);
  return { file, ...curve, unscored, ...(known && { referenced: known.size }) };
}

const isUnscored = ({ reward }: RankedRow['candidates'][number]): boolean => reward === null;

function poolOf({ id, candidates }: RankedRow, reference: string | undefined): AnswerPool {
  const scored = candidates.filter((one) => !isUnscored(one));
  return {
    id,
    answers: scored.map(({ text, reward, rank, score }) => ({
      reward: reward!,
      length: countWords(text),
      rank,
      values: {
        ...(reference !== undefined && { [rougeMeasure]: rougeOf({ reference, candidate: text }).rougeL }),
        ...(score !== undefined && { [judgeMeasure]: score }),
      },
    })),
  };
}

/** By id where every reference has one, else by order. */
function referencesOf(file: string, rows: readonly RankedRow[]): Map<string, string> {
  const references = readAnswers(file);
  if (references.every(({ id }) => id !== undefined)) {
    const byId = new Map(references.map(({ id, text }) => [String(id), text]));
    const found = rows.flatMap(({ id }) => (byId.has(id) ? [[id, byId.get(id)!] as const] : []));
    if (found.length > 0) return new Map(found);
    throw new ConfigError(`${file}: no reference has the id of a prompt`, {
      hint: `the prompts are called ${rows
        .slice(0, 3)
        .map(({ id }) => id)
        .join(', ')}; the references ${[...byId.keys()].slice(0, 3).join(', ')}`,
    });
  }
  if (references.length !== rows.length) {
    throw new ConfigError(`expected as many references as prompts, ${rows.length}, got ${references.length}`, {
      hint: 'give every reference an "id" to match it by',
    });
  }
  return new Map(rows.map(({ id }, i) => [id, references[i]!.text]));
}
