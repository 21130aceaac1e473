/** What comparisons have to teach, counted by hand. */
import { expect, it } from 'vitest';
import type { ScoredCandidate } from '../../src/generate/feedback.ts';
import { type Duel, rankAnswers } from '../../src/generate/feedback-ties.ts';
import { YieldTally } from '../../src/generate/feedback-yield.ts';

const candidate = (content: string, source: string, score: number | 'unreadable' | 'failed'): ScoredCandidate => ({
  ...{ content, source, calls: [] },
  verdicts: typeof score === 'number' ? [{ score, reason: '', call: 'k', place: content.charCodeAt(0) - 96 }] : [],
  ...(typeof score === 'number' ? { score } : { problem: score }),
});

it('every two answers are in one row of the table', () => {
  const tally = new YieldTally(true);
  const add = (candidates: ScoredCandidate[], duels: Duel[] = []) =>
    tally.add({ candidates }, rankAnswers(candidates, duels), duels);
  // Margins 0.5, 2, 1.5; then 3.5 and a tie of two nines; then what has no score.
  add([candidate('a', 'x', 9), candidate('b', 'y', 8.5), candidate('c', 'z', 7)]);
  add(
    [candidate('a', 'x', 9), candidate('b', 'y', 9), candidate('c', 'z', 5.5)],
    [{ places: [0, 1], result: 'disagree', calls: [], unread: [] }],
  );
  add([candidate('a', 'x', 4), candidate('b', 'y', 'unreadable'), candidate('c', 'z', 'failed')]);
  add([candidate('a', 'x', 9), candidate('b', 'y', 9)], [{ places: [0, 1], result: 'second', calls: [], unread: [] }]);
  const result = tally.result();
  expect(result).toEqual({
    twos: 10,
    pairs: 6,
    byMargin: [
      { from: 0, below: 0.5, pairs: 1 },
      { from: 0.5, below: 1, pairs: 1 },
      { from: 1, below: 2, pairs: 1 },
      { from: 2, below: 3, pairs: 1 },
      { from: 3, below: null, pairs: 2 },
    ],
    headToHead: 1,
    ties: 1,
    unreadable: 1,
    failed: 2,
    sameScore: 2,
    duels: { first: 0, second: 1, tie: 0, disagree: 1, unreadable: 0, failed: 0, contradictory: 0 },
    histogram: [
      { score: 4, verdicts: 1 },
      { score: 5.5, verdicts: 1 },
      { score: 7, verdicts: 1 },
      { score: 8.5, verdicts: 1 },
      { score: 9, verdicts: 5 },
    ],
    sources: [
      { source: 'x', answers: 4, mean: 31 / 4 },
      { source: 'y', answers: 4, mean: 26.5 / 3 },
      { source: 'z', answers: 3, mean: 12.5 / 2 },
    ],
    places: [
      { place: 1, verdicts: 4, mean: 31 / 4 },
      { place: 2, verdicts: 3, mean: 26.5 / 3 },
      { place: 3, verdicts: 2, mean: 12.5 / 2 },
    ],
  });
  expect(result.twos).toBe(result.pairs + result.ties + result.unreadable + result.failed);
});

it('an answer of several writers counts for each; log-probabilities have no scale', () => {
  const tally = new YieldTally(false);
  const candidates = [{ ...candidate('a', 'x', -0.5), also: ['y'] }, candidate('b', 'y', -1.25)];
  tally.add({ candidates }, rankAnswers(candidates, []), []);
  expect(tally.result()).toMatchObject({
    byMargin: [{ pairs: 0 }, { pairs: 1 }, { pairs: 0 }, { pairs: 0 }, { pairs: 0 }],
    histogram: [],
    places: [],
    sources: [
      { source: 'x', answers: 1, mean: -0.5 },
      { source: 'y', answers: 2, mean: -0.875 },
    ],
  });
  expect(new YieldTally(true).result()).toMatchObject({ twos: 0, pairs: 0, sources: [] });
  expect(tally.result()).not.toHaveProperty('duels');
});
