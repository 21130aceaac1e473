/** Scored groups as preferences, and as rows of the forms that are written. */
import { toRankedRow } from '../src/data/formats/ranked.ts';
import { writeRecord } from '../src/data/formats/write.ts';
import { type Preference, preferencePairs } from '../src/data/preferences.ts';
import type { ScoredGroup } from '../src/generate/feedback.ts';
import { type Duel, rankAnswers } from '../src/generate/feedback-ties.ts';
import type { FeedbackConfig } from './feedback-config.ts';

/** `provenance.calls` are those of the answers, then of their scores, then head to head: any row leads to its calls. */
export function toPreference(group: ScoredGroup, duels: readonly Duel[]): Preference {
  const { id, prompt, language, category, file, row, candidates, calls } = group;
  const ranked = rankAnswers(candidates, duels);
  const all = [...candidates.flatMap((one) => one.calls), ...calls, ...duels.flatMap((duel) => duel.calls)];
  return {
    ...{ id, prompt, ...ranked, language },
    ...(category === undefined ? {} : { category }),
    provenance: { source: 'generated', file, row, calls: [...new Set(all)] },
  };
}

export type FeedbackRows =
  | { readonly rows: readonly object[] }
  | { readonly problem: { readonly reason: string; readonly detail: string } };

/**
 * In the form `ranked` a row says more than a preference holds: who scored (`scorer`), and of each answer the single verdicts
 * with their calls, the calls that wrote it and who else wrote the same.
 */
export function toRows(
  form: FeedbackConfig['form'],
  { candidates }: ScoredGroup,
  preference: Preference,
  scorer: string,
): FeedbackRows {
  const { answers } = preference;
  if (answers.length < 2) {
    const reason = candidates.some(({ problem }) => problem === 'failed') ? 'failed' : 'unreadable';
    return { problem: { reason, detail: `${answers.length} of ${candidates.length} answers have a score` } };
  }
  if (form === 'ranked') {
    const known = new Map(candidates.map((one) => [one.content, one]));
    const more = answers.map((answer) => {
      const { also, calls, verdicts } = known.get(answer.content) as ScoredGroup['candidates'][number];
      return { ...answer, ...(also ? { also } : {}), ...(calls.length > 0 ? { calls } : {}), verdicts };
    });
    return { rows: [{ ...toRankedRow(preference), answers: more, scorer }] };
  }
  const written = writeRecord(form, preference);
  if ('rows' in written) return written;
  const isTied = preferencePairs(preference).pairs.length === 0;
  return { problem: { reason: isTied ? 'all tied' : 'cannot be written', detail: written.problem } };
}
