import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { type RewardedAnswer, type RewardedGroup, rewardCard } from '../../src/evaluate/reward-card.ts';

const words = (count: number): string => Array.from({ length: count }, (_, i) => `w${i}`).join(' ');
const answer = (rank: number, reward: number, length: number, more: Partial<RewardedAnswer> = {}): RewardedAnswer => ({
  content: words(length),
  rank,
  reward,
  tokens: length,
  ...more,
});
const group = (id: string, answers: readonly RewardedAnswer[], more: Partial<RewardedGroup> = {}): RewardedGroup => ({
  id,
  prompt: [{ role: 'user', content: `Prompt ${id}` }],
  answers,
  pairs: answers.flatMap((better, b) =>
    answers.flatMap((worse, w) => (better.rank < worse.rank ? [{ better: b, worse: w }] : [])),
  ),
  ...more,
});
/** `count` prompts of two answers. */
const many = (count: number, better: RewardedAnswer, worse: RewardedAnswer, name = 'p') =>
  Array.from({ length: count }, (_, i) => group(`${name}${i}`, [better, worse]));

describe('accuracy', () => {
  it('is the share of pairs whose better answer has the higher reward, a tie counting ½', () => {
    // a: 3 pairs, of which (1, 2) is wrong and (1, 3), (2, 3) right. b: a tie. c: right.
    const card = rewardCard([
      group('a', [answer(1, 1, 3), answer(2, 2, 5), answer(3, 0, 4)], { language: 'en' }),
      group('b', [answer(1, 4, 2), answer(2, 4, 2)], { language: 'zh' }),
      group('c', [answer(2, -1, 9), answer(1, 1, 8)], { language: 'en' }),
    ]);
    expect(card).toMatchObject({ prompts: 3, answers: 7, pairs: 5, notFinite: 0 });
    expect(card.all).toMatchObject({ pairs: 5, prompts: 3, accuracy: { mean: 3.5 / 5, n: 3 } });
    // The longer one is better: 3 < 5, 3 < 4, 5 > 4, 2 = 2, 8 < 9.
    expect(card.all?.longerWins.mean).toBe(1.5 / 5);
    expect(card.overLongerWins?.mean).toBeCloseTo(2 / 5, 12);
    // Without 5 > 4: wrong, right, ½, right.
    expect(card.notLonger).toMatchObject({ pairs: 4, accuracy: { mean: 2.5 / 4 }, longerWins: { mean: 0.5 / 4 } });
    expect(card.languages.map(({ name, pairs, accuracy }) => [name, pairs, accuracy.mean])).toEqual([
      ['en', 4, 0.75],
      ['zh', 1, 0.5],
    ]);
  });

  it('draws prompts with all their pairs for the interval', () => {
    // One prompt of 45 right pairs against nine of one wrong pair: over pairs the interval would be narrow.
    const large = group(
      'large',
      Array.from({ length: 10 }, (_, i) => answer(i + 1, -i, 10 - i)),
    );
    const { accuracy } = rewardCard([large, ...many(9, answer(1, 0, 2), answer(2, 1, 1))]).all!;
    expect(accuracy.mean).toBeCloseTo(45 / 54, 12);
    // The large one is absent from a third of the draws.
    expect(accuracy.low).toBe(0);
    expect(accuracy.high).toBeGreaterThan(0.9);
  });

  it('says what an interval on one side of 50 % says, and no evidence for any other', () => {
    const right = many(8, answer(1, 1, 1), answer(2, 0, 2), 'right');
    const wrong = many(8, answer(1, 0, 1), answer(2, 1, 2), 'wrong');
    expect(rewardCard(right).notLonger?.evidence).toBe('better than chance');
    expect(rewardCard(wrong).notLonger?.evidence).toBe('worse than chance');
    expect(rewardCard([...right, ...wrong]).notLonger?.evidence).toBe('no evidence');
    // 6 right of 6: 0.025^(1/6) = 0.541. Of 5 it is 0.478.
    expect(rewardCard(right.slice(0, 6)).all).toMatchObject({
      evidence: 'better than chance',
      accuracy: { mean: 1, low: expect.closeTo(0.5407, 4) as number, high: 1 },
    });
    expect(rewardCard(right.slice(0, 5)).all?.evidence).toBe('no evidence');
    expect(rewardCard(wrong.slice(0, 6)).all?.accuracy).toMatchObject({
      mean: 0,
      low: 0,
      high: expect.closeTo(0.4593, 4) as number,
    });
  });

  it('by margin and by who wrote the two, in whichever order', () => {
    const of = (source: string) => ({ source });
    const base = [answer(1, 1, 1, of('x')), answer(2, 0, 1, of('y'))];
    const swapped = [answer(1, 0, 1, of('y')), answer(2, 1, 1, of('x'))];
    const margins = [0.5, 1, 1.5, 4.5].map((margin, i) =>
      group(`m${i}`, base, { pairs: [{ better: 0, worse: 1, margin }] }),
    );
    const card = rewardCard([...margins, group('s', swapped), group('n', [answer(1, 1, 1), answer(2, 0, 1)])]);
    expect(card.margins.map(({ name, pairs }) => [name, pairs])).toEqual([
      ['up to 1', 2],
      ['over 1 to 2', 1],
      ['over 4', 1],
      ['not known', 2],
    ]);
    expect(card.sources.map(({ name, pairs, accuracy }) => [name, pairs, accuracy.mean])).toEqual([
      ['unknown / unknown', 1, 1],
      ['x / y', 5, 0.8],
    ]);
  });

  it('counts answers whose reward is no finite number and leaves their pairs out', () => {
    const card = rewardCard([
      group('a', [answer(1, Number.NaN, 1), answer(2, 0, 1), answer(3, -1, 1)]),
      group('b', [answer(1, Number.POSITIVE_INFINITY, 1), answer(2, 0, 1)]),
    ]);
    expect(card).toMatchObject({ notFinite: 2, pairs: 1, all: { accuracy: { mean: 1 } }, length: { items: 3 } });
    expect(card.pick.rank?.prompts).toBe(1);
    const none = rewardCard([]);
    expect(none).toMatchObject({ all: null, notLonger: null, overLongerWins: null, pick: { rank: null, score: null } });
  });
});

describe('calibration', () => {
  it('is about right for pairs that are drawn as the rewards say, and off for rewards ten times as large', () => {
    const rng = new Rng('calibration test');
    const groups = (scale: number) =>
      Array.from({ length: 400 }, (_, i) => {
        const difference = 3 * rng.normal();
        const isBetter = rng.uniform() < 1 / (1 + Math.exp(-difference));
        const [first, second] = [scale * difference, 0];
        return group(`p${i}`, [answer(isBetter ? 1 : 2, first, 1), answer(isBetter ? 2 : 1, second, 2)]);
      });
    const honest = rewardCard(groups(1)).calibration;
    expect(honest.error).toBeLessThan(0.08);
    // Both orientations: near 0 and near 1 alike.
    expect(honest.bins[0]!.items).toBeGreaterThan(40);
    expect(honest.bins[9]!.items).toBeGreaterThan(40);
    expect(rewardCard(groups(10)).calibration.error).toBeGreaterThan(0.12);
  });
});

describe('the answer of the highest reward', () => {
  it('against one at random and the best, by rank and by score', () => {
    const scored = (rank: number, reward: number, score: number) => answer(rank, reward, 1, { score });
    const card = rewardCard([
      group('a', [scored(1, 5, 9), scored(2, 1, 6), scored(3, 0, 3)]), // picks the best: 9 against 6
      group('b', [scored(1, 0, 8), scored(2, 1, 4)]), // picks the worse: 4 against 6
      group('c', [scored(1, 2, 8), scored(2, 2, 4)]), // both alike: 6 against 6
      group('d', [scored(1, 2, 7), answer(2, 1, 1)]), // one has no score
    ]);
    expect(card.pick.answersPerPrompt).toBe(9 / 4);
    expect(card.pick.score).toMatchObject({
      prompts: 3,
      pick: { mean: (9 + 4 + 6) / 3 },
      random: { mean: 6 },
      best: { mean: 25 / 3 },
      gain: { mean: expect.closeTo(1 / 3, 12) as number },
      // 3 − 2 + 0 of 3 + 2 + 2.
      shareOfPossible: { mean: expect.closeTo(1 / 7, 12) as number },
    });
    // Ranks picked 1, 2, 1½, 1; at random 2, 1½, 1½, 1½.
    expect(card.pick.rank).toMatchObject({
      prompts: 4,
      pick: { mean: 5.5 / 4 },
      random: { mean: 6.5 / 4 },
      best: { mean: 1 },
      gain: { mean: 0.25 },
    });
  });
});

describe('disagreements', () => {
  it('shows the 50 worst, with their texts, and counts all', () => {
    const groups = Array.from({ length: 60 }, (_, i) => group(`p${i}`, [answer(1, 0, 3), answer(2, i - 5, 1)]));
    const card = rewardCard(groups);
    expect(card.disagreementsInAll).toBe(54);
    expect(card.disagreements).toHaveLength(50);
    expect(card.disagreements[0]).toEqual({
      id: 'p59',
      prompt: [{ role: 'user', content: 'Prompt p59' }],
      better: answer(1, 0, 3),
      worse: answer(2, 54, 1),
      gap: 54,
    });
    expect(card.disagreements.at(-1)?.gap).toBe(5);
  });
});

it('correlates rewards with tokens, over answers', () => {
  const card = rewardCard([
    group('a', [answer(1, 1, 1), answer(2, 2, 3)]),
    group('b', [answer(1, 3, 2), answer(2, 4, 4)]),
  ]);
  expect(card.length).toMatchObject({ items: 4, groups: 2, spearman: { value: expect.closeTo(0.8, 12) as number } });
});
