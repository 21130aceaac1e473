/**
 * From what a judge said to a verdict, or why there is none. The text is read in src/text/verdict.ts; here is which of several
 * askings counts, and what a call without a verdict is called: `refused` (withheld, or declined in words), `unreadable`,
 * `failed`. The judge of before and after (judge.ts) calls them the same.
 */
import { refusesAtOnce } from '../data/lints/refusal.ts';
import { readChoiceVerdict, readPairVerdict, readSingleVerdict, type Unreadable } from '../text/verdict.ts';
import type { Asking, JudgeMode, JudgeRow, Verdict } from './judge-rows.ts';
import type { JudgeProblem } from './rows.ts';

export type Reading =
  | { readonly verdict: Verdict; readonly problem?: undefined }
  | { readonly problem: JudgeProblem; readonly verdict?: undefined };

const readers = {
  single: (text: string) => readSingleVerdict(text),
  pair: readChoiceVerdict,
  reference: (text: string) => readPairVerdict(text),
} satisfies Record<JudgeMode, (text: string) => Verdict | Unreadable>;

type Said = Pick<Asking, 'text' | 'finishReason'>;

/** A small judge may repeat what it was shown, frame and all: a verdict in there is the judged text's own. */
const withoutEcho = (text: string): string => text.replace(/<<< ([0-9a-f]{8,})\n[\s\S]*?(?:\n>>> \1|$)/g, '\n');

/** What one answer of the judge says. */
export function readSaid(mode: JudgeMode, said: Said): Reading {
  const verdict: Verdict | Unreadable = readers[mode](withoutEcho(said.text));
  const isWithheld = said.finishReason === 'content-filter';
  if (!('unreadable' in verdict) && !isWithheld) return { verdict };
  const reason = 'unreadable' in verdict ? verdict.unreadable : '';
  const problem = withoutVerdict(said, reason);
  const refusal = problem.kind === 'unreadable' ? refusesAtOnce('', said.text) : undefined;
  return { problem: refusal === undefined ? problem : { kind: 'refused', reason: `“${refusal}”` } };
}

/** The first asking that can be read counts; where there is none, the last says what is wrong. */
export function readAskings(mode: JudgeMode, { askings, error }: Pick<JudgeRow, 'askings' | 'error'>): Reading {
  const readings = askings.map((said) => readSaid(mode, said));
  const read = readings.find(({ verdict }) => verdict !== undefined);
  const last = readings.at(-1);
  if (read) return read;
  if (error !== undefined || !last) return { problem: { kind: 'failed', reason: error ?? 'never asked' } };
  return last;
}

/** Why an answer that came has no verdict. `unreadable`: what reading it said. */
export function withoutVerdict({ finishReason }: Pick<Said, 'finishReason'>, unreadable: string): JudgeProblem {
  if (finishReason === 'content-filter') return { kind: 'refused', reason: 'withheld by a content filter' };
  const cut = finishReason === 'length' ? ' (cut off at the most tokens a verdict may have)' : '';
  return { kind: 'unreadable', reason: unreadable + cut };
}
