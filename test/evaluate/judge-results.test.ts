/** Figures, worked by hand. */
import { describe, expect, it } from 'vitest';
import { compareCalls, type JudgedCall } from '../../src/evaluate/judge-comparisons.ts';
import { figureOf, quotientOf } from '../../src/evaluate/judge-figures.ts';
import { type JudgeResults, judgeResults, type ResultSettings } from '../../src/evaluate/judge-results.ts';
import type { JudgeMode, Verdict } from '../../src/evaluate/judge-rows.ts';
import type { JudgeProblem } from '../../src/evaluate/rows.ts';

type Kind = JudgeProblem['kind'];
const isKind = (said: Verdict | Kind): said is Kind => typeof said === 'string';

function call(
  question: string,
  models: readonly string[],
  said: Verdict | Kind,
  more: Partial<JudgedCall> = {},
): JudgedCall {
  const what = isKind(said) ? { problem: { kind: said, reason: 'x' } } : { verdict: said };
  const lengths = models.map((name) => lengthOf[name] ?? 10);
  return { question, turn: 1, category: 'generic', language: 'en', models, lengths, sample: 0, ...what, ...more };
}
/** Characters of a model's answers. */
const lengthOf: Record<string, number> = { a: 30, b: 10, c: 20 };

const choices = { A: { choice: 'first' }, B: { choice: 'second' }, C: { choice: 'tie' } } as const;
type Letter = keyof typeof choices;
/** Both orders: what was said with the model's answer first, then with the opponent's first. */
const pair = (
  question: string,
  [one, other]: readonly [Letter | Kind, Letter | Kind],
  [model, opponent]: readonly [string, string] = ['a', 'b'],
  more: Partial<JudgedCall> = {},
): JudgedCall[] => {
  const said = (letter: Letter | Kind) => (letter in choices ? choices[letter as Letter] : (letter as Kind));
  const lengths = more.lengths ?? [lengthOf[model] ?? 10, lengthOf[opponent] ?? 10];
  return [
    call(question, [model, opponent], said(one), { ...more, lengths }),
    call(question, [opponent, model], said(other), { ...more, lengths: [...lengths].reverse() }),
  ];
};
const scored = (question: string, one: readonly [number, number] | Kind, other: readonly [number, number] | Kind) => [
  call(question, ['a', 'b'], isKind(one as Kind) ? (one as Kind) : { scores: one as [number, number] }),
  call(question, ['b', 'a'], isKind(other as Kind) ? (other as Kind) : { scores: other as [number, number] }),
];

const results = (mode: JudgeMode, calls: readonly JudgedCall[], more: Partial<ResultSettings> = {}): JudgeResults =>
  judgeResults(calls, { mode, models: ['a', 'b'], baseline: undefined, own: [], seed: 1, ...more });
const close = (value: number) => expect.closeTo(value, 12);

describe('pair: both orders', () => {
  const verdicts: [string, readonly [Letter, Letter]][] = [
    ['win', ['A', 'B']],
    ['win 2', ['A', 'B']],
    ['loss', ['B', 'A']],
    ['tie', ['C', 'C']],
    ['first both times', ['A', 'A']],
    ['first again', ['A', 'A']],
    ['second both times', ['B', 'B']],
    ['half', ['A', 'C']],
  ];
  const calls = verdicts.flatMap(([question, said]) => pair(question, said));
  const { matches, position, calls: counts, questions } = results('pair', calls);

  it('a win is one in both orders, what disagrees is a tie, opposite winners are flips', () => {
    expect(counts).toEqual({ asked: 16, answered: 16, parsed: 16, unreadable: 0, refused: 0, failed: 0 });
    expect(questions).toBe(8);
    expect(matches).toHaveLength(1);
    expect(matches[0]).toMatchObject({ model: 'a', opponent: 'b', asked: 8, compared: 8, wins: 2, ties: 5, losses: 1 });
    // (2 + 5 / 2) / 8
    expect(matches[0]?.winRate).toMatchObject({
      value: 0.5625,
      n: 8,
      low: expect.any(Number),
      high: expect.any(Number),
    });
    expect(matches[0]?.bounds).toBeNull();
    expect(matches[0]).not.toHaveProperty('sums');
  });

  it('position: flips, who won them, and how often the first shown was named', () => {
    const one = matches[0]?.position;
    expect(one).toEqual(position);
    expect(one?.flips).toBe(3);
    expect(one?.flipShare).toMatchObject({ value: 3 / 8, n: 8 });
    // Two flips for the first place, one for the second.
    expect(one?.firstAmongFlips).toMatchObject({ value: close(2 / 3), n: 3 });
    // Named winners: 2 + 2 + 2 + 0 + 2 + 2 + 2 + 1. First shown: 1 + 1 + 1 + 0 + 2 + 2 + 0 + 1.
    expect(one?.firstOverall).toMatchObject({ value: close(8 / 13), n: 13 });
    expect(one).not.toHaveProperty('firstLead');
  });

  it('length: who is longer wins how often, and goes with the outcome how far', () => {
    // d = 30 − 10 in all of them: no correlation can be told.
    expect(matches[0]?.length.longerWins).toMatchObject({ value: close(2 / 3), n: 3 });
    expect(matches[0]?.length.correlation).toMatchObject({ value: null, low: null, high: null });
    expect(matches[0]?.lengthControlled).toEqual({ unfit: expect.stringMatching(/all length differences are equal/) });
    // d = 2, 1, −3 with 1, ½, 0: x̄ = 0, ȳ = ½; Σxy = 2.5, Σx² = 14, Σ(y − ½)² = ½.
    const varied = [
      ...pair('p', ['A', 'B'], ['a', 'b'], { lengths: [12, 10] }),
      ...pair('q', ['C', 'C'], ['a', 'b'], { lengths: [11, 10] }),
      ...pair('r', ['B', 'A'], ['a', 'b'], { lengths: [7, 10] }),
    ];
    const { length, lengthControlled } = results('pair', varied).matches[0]!;
    expect(length.correlation.value).toBeCloseTo(2.5 / Math.sqrt(14 / 2), 12);
    expect(length.longerWins).toMatchObject({ value: 1, n: 2 });
    expect(lengthControlled).toMatchObject({ winRate: { n: 3 }, fit: { questions: 3 } });
  });

  it('what is missing is counted by kind, left out, and bounds the rate', () => {
    const some = [
      ...pair('win', ['A', 'B']),
      ...pair('could be a win', ['A', 'unreadable']),
      ...pair('could be a loss', ['refused', 'A']),
      ...pair('a tie already', ['C', 'failed']),
      ...pair('nothing', ['failed', 'unreadable']),
    ];
    const { matches: found, calls: counted } = results('pair', some);
    expect(counted).toEqual({ asked: 10, answered: 7, parsed: 5, unreadable: 2, refused: 1, failed: 2 });
    expect(found[0]?.calls).toEqual(counted);
    expect(found[0]).toMatchObject({ asked: 5, compared: 1, wins: 1, ties: 0, losses: 0, winRate: { value: 1, n: 1 } });
    expect(found[0]?.winRate.low).toBeNull();
    // Worst 1 + ½ + 0 + ½ + 0, best 1 + 1 + ½ + ½ + 1, of 5.
    expect(found[0]?.bounds).toEqual({ winRate: { worst: close(2 / 5), best: close(4 / 5) } });
  });

  it('by category, language and turn, where there are several', () => {
    const mixed = [
      ...pair('1', ['A', 'B'], ['a', 'b'], { category: 'math' }),
      ...pair('1', ['A', 'B'], ['a', 'b'], { category: 'math', turn: 2 }),
      ...pair('2', ['B', 'A'], ['a', 'b'], { category: 'coding' }),
      ...pair('3', ['A', 'failed'], ['a', 'b'], { category: 'coding' }),
    ];
    const { categories, languages, turns, winRate } = results('pair', mixed).matches[0]!;
    expect(categories).toMatchObject([
      { name: 'math', asked: 2, compared: 2, wins: 2, winRate: { value: 1, low: null } },
      { name: 'coding', asked: 2, compared: 1, losses: 1, winRate: { value: 0 } },
    ]);
    expect(languages).toEqual([]);
    expect(turns).toMatchObject([
      { name: '1', compared: 2, winRate: { value: 0.5 } },
      { name: '2', compared: 1, winRate: { value: 1 } },
    ]);
    expect(winRate).toMatchObject({ value: close(2 / 3), n: 3 });
  });

  it('samples are comparisons of their own, of the same question', () => {
    const sampled = [0, 1, 2].flatMap((sample) =>
      pair('q', sample === 2 ? ['A', 'A'] : ['A', 'B'], ['a', 'b'], { sample }),
    );
    const { asked, winRate } = results('pair', sampled).matches[0]!;
    expect(asked).toBe(3);
    // One question: nothing to draw from.
    expect(winRate).toEqual({ value: close(2.5 / 3), low: null, high: null, n: 3 });
  });
});

describe('reference: scores in both orders', () => {
  it('sums, ratio, winners and the lead of the place', () => {
    const calls = [
      ...scored('1', [8, 9], [8, 6]), // 7 : 8.5, b wins both
      ...scored('2', [9, 5], [5, 7]), // 8 : 5, a wins both
      ...scored('3', [7, 6], [9, 8]), // 7.5 : 7.5, the first wins both
    ];
    const { matches, position } = results('reference', calls, { baseline: 'b' });
    const [match] = matches;
    expect(match).toMatchObject({ model: 'a', opponent: 'b', wins: 1, losses: 1, ties: 1 });
    expect(match?.sums).toEqual({ model: 22.5, opponent: 21 });
    expect(match?.ratio).toMatchObject({ value: close(22.5 / 21), n: 3 });
    // First − second: (8−9 + 8−6)/2, (9−5 + 5−7)/2, (7−6 + 9−8)/2.
    expect(position?.firstLead).toMatchObject({ value: close((0.5 + 1 + 1) / 3), n: 3 });
    expect(position?.flips).toBe(1);
  });

  it('the figures of the paper: Alpaca’s 593 : 745.5 is 79.54 %', () => {
    const calls = [...scored('all but one', [593, 745.5], [745.5, 593]), ...scored('nothing', 'failed', [1, 1])];
    const { ratio, sums } = results('reference', calls, { baseline: 'b' }).matches[0]!;
    expect(sums).toEqual({ model: 593, opponent: 745.5 });
    expect((100 * (ratio?.value as number)).toFixed(2)).toBe('79.54');
  });

  it('a missing verdict is a 1 or a 10 in the bounds, what was read stays', () => {
    const calls = [...scored('1', [8, 8], [8, 8]), ...scored('2', [6, 4], 'unreadable')];
    const { compared, bounds, sums } = results('reference', calls, { baseline: 'b' }).matches[0]!;
    expect([compared, sums]).toEqual([1, { model: 8, opponent: 8 }]);
    // Worst: a (6 + 1)/2, b (4 + 10)/2. Best: a (6 + 10)/2, b (4 + 1)/2.
    expect(bounds?.ratio).toEqual({ worst: close(11.5 / 15), best: close(16 / 10.5) });
    // With a 1, its two wins could have been a tie or stay: ½ + ½ or ½ + 1.
    expect(bounds?.winRate).toEqual({ worst: 0.5, best: 0.75 });
  });
});

describe('single: scores by themselves', () => {
  const calls = [
    call('1', ['a'], { score: 8 }),
    call('1', ['b'], { score: 4 }),
    call('2', ['a'], { score: 5 }, { category: 'math' }),
    call('2', ['b'], { score: 5 }, { category: 'math' }),
    call('3', ['a'], { score: 9 }),
    call('3', ['b'], 'refused'),
  ];
  const { models, matches, position, selfPreference, length } = results('single', calls);

  it('sum, mean, bounds and categories of each model', () => {
    expect(models).toMatchObject([
      { model: 'a', asked: 3, parsed: 3, sum: 22, mean: { value: close(22 / 3), n: 3 }, bounds: null },
      { model: 'b', asked: 3, answered: 2, refused: 1, sum: 9, mean: { value: 4.5, n: 2 } },
    ]);
    expect(models[1]?.bounds).toEqual({ worst: close(10 / 3), best: close(19 / 3) });
    expect(models[0]?.categories).toMatchObject([
      { name: 'generic', value: 8.5, n: 2 },
      { name: 'math', value: 5, n: 1 },
    ]);
  });

  it('compares the scores of two models on the same questions; there is no place to like', () => {
    expect(matches[0]).toMatchObject({ asked: 3, compared: 2, wins: 1, ties: 1, losses: 0, winRate: { value: 0.75 } });
    expect(matches[0]?.sums).toEqual({ model: 13, opponent: 9 });
    expect(matches[0]?.ratio?.value).toBeCloseTo(13 / 9, 12);
    // Question 3: 9 against 1 to 10. (1 + ½ + 0 or 1) / 3; 22 : 9 + 10 or 9 + 1.
    expect(matches[0]?.bounds?.winRate).toEqual({ worst: 0.5, best: close(2.5 / 3) });
    expect(matches[0]?.bounds?.ratio).toEqual({ worst: close(22 / 19), best: close(22 / 10) });
    expect([position, matches[0]?.position]).toEqual([undefined, undefined]);
    expect(length?.longerWins).toMatchObject({ value: 1, n: 1 });
  });

  it('one model alone has scores and no comparisons', () => {
    const alone = results(
      'single',
      calls.filter(({ models: names }) => names[0] === 'a'),
      { models: ['a'] },
    );
    expect(alone).toMatchObject({ matches: [], selfPreference: { notMeasurable: expect.any(String) } });
    expect(alone).not.toHaveProperty('length');
  });

  it('no model of the judge’s own: not measurable', () => {
    expect(selfPreference).toEqual({ notMeasurable: expect.stringContaining('--judge-family') });
  });
});

describe('self-preference', () => {
  const three = ['a', 'b', 'c'];
  it('each with each: own against others, both sides', () => {
    const calls = [
      ...pair('1', ['A', 'B'], ['a', 'b']),
      ...pair('1', ['A', 'A'], ['a', 'c']),
      ...pair('1', ['A', 'B'], ['b', 'c']),
    ];
    const { selfPreference } = results('pair', calls, { models: three, own: ['a'] });
    // a: 1 and ½; the others 0 and ½. b against c says nothing of a.
    expect(selfPreference).toMatchObject({
      own: ['a'],
      ownWinRate: { value: 0.75, n: 2 },
      othersWinRate: { value: 0.25, n: 2 },
      difference: { value: 0.5 },
    });
  });

  it('against a third model: own and others measured by the same', () => {
    const calls = [
      ...pair('1', ['A', 'B'], ['a', 'c']),
      ...pair('2', ['C', 'C'], ['a', 'c']),
      ...pair('1', ['B', 'A'], ['b', 'c']),
      ...pair('2', ['A', 'B'], ['b', 'c']),
    ];
    const { selfPreference } = results('pair', calls, { models: three, baseline: 'c', own: ['a'] });
    expect(selfPreference).toMatchObject({
      ownWinRate: { value: 0.75 },
      othersWinRate: { value: 0.5 },
      difference: { value: 0.25 },
    });
  });

  it('against the own model as baseline', () => {
    const calls = [...pair('1', ['A', 'B'], ['a', 'c']), ...pair('1', ['B', 'A'], ['b', 'c'])];
    const { selfPreference } = results('pair', calls, { models: three, baseline: 'c', own: ['c'] });
    expect(selfPreference).toMatchObject({ ownWinRate: { value: 0.5, n: 2 }, difference: { value: 0 } });
  });

  it('all own: not measurable', () => {
    const { selfPreference } = results('pair', pair('1', ['A', 'B']), { own: ['a', 'b'] });
    expect(selfPreference).toEqual({ notMeasurable: 'all judged models are the judge’s own' });
  });
});

describe('a judge that answers nonsense one time in ten', () => {
  it('every figure carries what it is over, and bounds that hold the truth', () => {
    // a wins 60 of 100 questions for sure; every tenth call is not readable.
    const truth = Array.from({ length: 100 }, (_, i) => pair(`${i}`, i % 5 < 3 ? ['A', 'B'] : ['B', 'A'])).flat();
    const broken = truth.map((one, i) =>
      i % 10 === 9 ? { ...one, verdict: undefined, problem: { kind: 'unreadable', reason: 'x' } as const } : one,
    );
    const { calls, matches } = results('pair', broken);
    expect(calls).toEqual({ asked: 200, answered: 200, parsed: 180, unreadable: 20, refused: 0, failed: 0 });
    const { asked, compared, winRate, bounds } = matches[0]!;
    expect({ asked, compared, n: winRate.n }).toEqual({ asked: 100, compared: 80, n: 80 });
    // Calls 9, 19, …: questions 4, 9, 14, …, all of them losses, read in their first order.
    expect(winRate.value).toBe(0.75);
    expect(bounds?.winRate).toEqual({ worst: close(0.6), best: close(0.7) });
    expect(winRate.low as number).toBeLessThan(0.75);
  });
});

describe('figures', () => {
  it('draw whole questions: a hundred verdicts on one question are one', () => {
    const many = (question: string, value: number) =>
      Array.from({ length: 100 }, () => ({ question, over: value, under: 1 }));
    const figure = quotientOf([...many('x', 0), ...many('y', 1)], 1);
    expect(figure).toEqual({ value: 0.5, low: 0, high: 1, n: 200 });
    expect(quotientOf([...many('x', 0), ...many('y', 1)], 2)).toEqual(figure);
  });

  it('are null where there is nothing', () => {
    expect(quotientOf([], 1)).toEqual({ value: null, low: null, high: null, n: 0 });
    expect(figureOf([{ question: 'x', sums: [0] }], () => Number.NaN, 1)).toMatchObject({ value: null });
  });
});

describe('compareCalls', () => {
  it('changing the names changes the side', () => {
    const calls = [...pair('1', ['A', 'B']), ...pair('2', ['A', 'A']), ...pair('3', ['C', 'failed'])];
    const there = compareCalls('pair', calls, ['a', 'b']);
    const back = compareCalls('pair', calls, ['b', 'a']);
    expect(back.map(({ preference }) => preference)).toEqual([0, 0.5, undefined]);
    expect(there.map(({ preference }) => preference)).toEqual([1, 0.5, undefined]);
    expect(there.map(({ lengthDifference }) => lengthDifference)).toEqual([20, 20, 20]);
    expect(back.map(({ lengthDifference }) => lengthDifference)).toEqual([-20, -20, -20]);
  });
});
