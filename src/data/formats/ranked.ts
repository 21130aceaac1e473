/**
 * All answers to a prompt in one row, ranked: `{prompt, answers: [{content, rank, score?, source?, reason?}], undecided?,
 * margin?, id?, language?, category?, provenance?}`. Ours: the one form that keeps everything a preference knows, ties and
 * twos of answers that nobody could decide among them. Where no answer has a rank, the scores rank them.
 */
import { kindOf } from '../../base/rows.ts';
import { type Preference, rankScores } from '../preferences.ts';
import { readProvenance } from './messages.ts';
import {
  type AnswerReading,
  checkPrompt,
  isThere,
  type Members,
  mapObjects,
  optionalNumber,
  optionalString,
  type PreferenceShape,
  type Report,
  requiredString,
} from './row.ts';
import { readTurns } from './trl.ts';

export const rankedShape: PreferenceShape = {
  kind: 'preferences',
  name: 'ranked',
  matches: ({ prompt, answers }) => isThere(prompt) && Array.isArray(answers),
  example: 'ranked {"prompt", "answers": [{"content", "rank", "score"}]}',
  read(members, report) {
    const prompt = readTurns(members, 'prompt', 'user', report) ?? [];
    if (prompt.length > 0) checkPrompt(prompt, 'prompt', report);
    const answers = mapObjects(members, 'answers', report, (one, path) => readAnswer(one, path, report));
    if (Array.isArray(members['answers']) && members['answers'].length < 2)
      report('answers', `expected two or more answers to compare, got ${members['answers'].length}`);
    const hasRanks = answers.some(({ rank }) => rank !== undefined);
    if (hasRanks) checkRanks(answers, report);
    else if (answers.some(({ score }) => score === undefined))
      report('answers', 'expected a rank for every answer, or a score for every one');
    return {
      prompt,
      answers,
      rankedBy: hasRanks ? 'ranks' : 'scores',
      margin: optionalNumber(members, 'margin', report),
      undecided: readUndecided(members, answers.length, report),
      provenance: readProvenance(members, report),
    };
  },
};

function readAnswer(one: Members, path: string, report: Report): AnswerReading {
  const within: Report = (name, message) => report(`${path}.${name}`, message);
  const rank = optionalNumber(one, 'rank', within);
  if (rank !== undefined && !(Number.isInteger(rank) && rank > 0))
    within('rank', `expected a whole number from 1, got ${rank}`);
  return {
    content: requiredString(one, 'content', report, `${path}.content`),
    path: `${path}.content`,
    rank,
    score: optionalNumber(one, 'score', within),
    source: optionalString(one, 'source', within),
    reason: optionalString(one, 'reason', within),
  };
}

/** Every answer has one, they count the better ones, and no score contradicts them. */
function checkRanks(answers: readonly AnswerReading[], report: Report): void {
  const ranks = answers.map(({ rank }) => rank ?? 0);
  const counted = rankScores(ranks.map((rank) => -rank));
  if (ranks.some((rank, i) => rank !== counted[i])) {
    const found = answers.map(({ rank }) => rank ?? 'none').join(', ');
    report('answers', `expected ranks that count the better answers and one more, ${counted.join(', ')}, got ${found}`);
    return;
  }
  for (const [i, { rank = 0, score }] of answers.entries()) {
    const other = answers.find((one) => (one.rank ?? 0) > rank && score !== undefined && (one.score ?? score) > score);
    if (other)
      report(`answers[${i}].rank`, `expected no worse answer with a higher score, found one with ${other.score}`);
  }
}

function readUndecided(members: Members, count: number, report: Report): [number, number][] {
  const { undecided } = members;
  if (!isThere(undecided)) return [];
  const isPlace = (value: unknown): value is number =>
    Number.isInteger(value) && 0 <= (value as number) && (value as number) < count;
  const isTwo = (two: unknown): two is [number, number] =>
    Array.isArray(two) && two.length === 2 && two.every(isPlace) && two[0] !== two[1];
  if (Array.isArray(undecided) && undecided.every(isTwo)) return undecided;
  const found = Array.isArray(undecided) ? JSON.stringify(undecided) : kindOf(undecided);
  report('undecided', `expected a list of twos of places in answers, from 0, got ${found}`);
  return [];
}

/** Reading it gives an equal preference. */
export function toRankedRow(preference: Preference): object {
  const { id, language, category, prompt, answers, margin, undecided, provenance } = preference;
  const placeOf = (text: string): number => answers.findIndex(({ content }) => content === text);
  const twos = undecided?.map((texts) => texts.map(placeOf));
  return { id, language, category, prompt, answers, margin, undecided: twos, provenance };
}
