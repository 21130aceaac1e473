import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { toJsonl } from '../../src/base/jsonl.ts';
import { agreementByCriterion, readVotes } from '../../src/evaluate/agreement.ts';
import {
  agreementWithJudge,
  majority,
  type PeopleChoice,
  type PeopleVote,
  summarizePeople,
} from '../../src/evaluate/people.ts';
import { exportedRow, votesToCsv } from '../../src/evaluate/people-export.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-people-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const vote = (item: string, rater: string, choice: PeopleChoice, more: Partial<PeopleVote> = {}): PeopleVote => ({
  item,
  rater,
  criterion: 'helpful',
  choice,
  modelA: 'a',
  modelB: 'b',
  seconds: 10,
  order: 'AB',
  comment: '',
  attention: false,
  ...more,
});

const letters: Readonly<Record<string, PeopleChoice>> = { w: 'win', t: 'tie', l: 'lose' };

/** "anna wwt": one letter an item, `.` for no vote. */
const votesOf = (...lines: readonly string[]): PeopleVote[] =>
  lines.flatMap((line) => {
    const [rater = '', choices = ''] = line.split(' ');
    return [...choices].flatMap((letter, i) => (letters[letter] ? [vote(`q${i + 1}`, rater, letters[letter])] : []));
  });

describe('summarizePeople', () => {
  it('counts votes, and says of how many the percentages are', () => {
    const { pairs, items, raters, votes } = summarizePeople(votesOf('anna wwtl', 'bo wtt.', 'cy wlwl'));
    expect({ items, raters, votes }).toEqual({ items: 4, raters: 3, votes: 11 });
    expect(pairs).toHaveLength(1);
    const [criterion] = pairs[0]!.criteria;
    // anna 2 1 1, bo 1 2 0, cy 2 0 2: 5 wins, 3 ties, 3 losses of 11.
    expect(criterion).toMatchObject({ criterion: 'helpful', votes: 11, items: 4 });
    expect(criterion).toMatchObject({ win: { count: 5 }, tie: { count: 3 }, lose: { count: 3 } });
    expect(criterion!.win.percent).toBeCloseTo(500 / 11, 10);
    expect(criterion!.win.percent + criterion!.tie.percent + criterion!.lose.percent).toBeCloseTo(100, 10);
    expect(criterion!.win.low).toBeLessThan(criterion!.win.percent);
    expect(criterion!.win.high).toBeGreaterThan(criterion!.win.percent);
  });

  it('draws items whole: raters who all agree make the interval no narrower', () => {
    const alone = summarizePeople(votesOf('anna wlwlwlwlwl')).pairs[0]!.criteria[0]!.win;
    const ten = Array.from({ length: 10 }, (_, i) => `rater-${i} wlwlwlwlwl`);
    const together = summarizePeople(votesOf(...ten)).pairs[0]!.criteria[0]!.win;
    expect(together).toMatchObject({ count: 50, percent: 50, low: alone.low, high: alone.high });
  });

  it('keeps pairs of models, and criteria, apart', () => {
    const votes = [
      vote('q1', 'anna', 'win'),
      vote('q1', 'anna', 'lose', { criterion: 'honest' }),
      vote('q2', 'anna', 'tie', { modelB: 'c' }),
    ];
    const { pairs } = summarizePeople(votes);
    expect(pairs.map(({ modelA, modelB, items }) => [modelA, modelB, items])).toEqual([
      ['a', 'b', 1],
      ['a', 'c', 1],
    ]);
    expect(pairs[0]!.criteria.map(({ criterion, win, lose }) => [criterion, win.count, lose.count])).toEqual([
      ['helpful', 1, 0],
      ['honest', 0, 1],
    ]);
  });

  it('takes agreement from the one place that knows it', () => {
    const votes = votesOf('anna wwtl', 'bo wttl', 'cy wlwl');
    expect(summarizePeople(votes).pairs[0]!.agreement).toEqual(agreementByCriterion(votes));
  });

  it('sees who stood left: an answer that wins only there is found out', () => {
    const { left } = summarizePeople([
      vote('q1', 'anna', 'win', { order: 'AB' }),
      vote('q2', 'anna', 'lose', { order: 'BA' }),
      vote('q3', 'anna', 'win', { order: 'BA' }),
      vote('q4', 'anna', 'tie', { order: 'AB' }),
    ]);
    expect(left).toMatchObject({ count: 2, decided: 3 });
    expect(left!.percent).toBeCloseTo(200 / 3, 10);
  });

  it('tells of each rater: checks passed, median time, agreement with the majority of the others', () => {
    const check = { attention: true, modelA: null, modelB: null };
    const votes = [
      // q1: the others of each are 2:0 or 1:1; q2: anna alone against two.
      ...votesOf('anna wwt', 'bo wl.', 'cy wl.'),
      vote('x', 'anna', 'win', { ...check, seconds: 4 }),
      vote('x', 'anna', 'tie', { ...check, seconds: 4, criterion: 'honest' }),
      vote('y', 'anna', 'lose', { ...check, seconds: 30 }),
      vote('x', 'bo', 'win', check),
    ];
    const { raterQuality, votes: counted } = summarizePeople(votes);
    expect(counted).toBe(7);
    expect(raterQuality).toEqual([
      // anna: q1 others w w → with; q2 others l l → against; q3 nobody else.
      { rater: 'anna', items: 3, checks: 2, checksPassed: 1, medianSeconds: 10, compared: 2, withMajority: 1 },
      // bo: q1 others w w → with; q2 others w l → no majority.
      { rater: 'bo', items: 2, checks: 1, checksPassed: 1, medianSeconds: 10, compared: 1, withMajority: 1 },
      { rater: 'cy', items: 2, checks: 0, checksPassed: 0, medianSeconds: 10, compared: 1, withMajority: 1 },
    ]);
  });

  it('has no figure where there are no votes', () => {
    expect(summarizePeople([])).toEqual({
      items: 0,
      raters: 0,
      votes: 0,
      comments: 0,
      pairs: [],
      raterQuality: [],
      left: null,
    });
  });
});

describe('majority', () => {
  it.each([
    [['win', 'win', 'lose'], 'win'],
    [['tie', 'tie', 'win', 'lose'], 'tie'],
    [['win', 'lose'], undefined],
    [['win', 'win', 'lose', 'lose', 'tie'], undefined],
    [['lose'], 'lose'],
    [[], undefined],
  ] as const)('%j: %s', (choices, expected) => {
    expect(majority(choices)).toBe(expected);
  });
});

describe('agreementWithJudge', () => {
  it('is the share of items where most raters say what the judge says, of those where both say something', () => {
    //              1 2 3 4 5 6
    const votes = votesOf('anna wwtlww', 'bo wlllw.', 'cy wwttw.');
    const verdicts = new Map<string, PeopleChoice>([
      ['q1', 'win'], // people win: the same
      ['q2', 'lose'], // people win
      ['q3', 'tie'], // people tie: the same
      ['q4', 'lose'], // people lose: the same
      ['q6', 'win'], // one vote: the same
    ]);
    const [helpful] = agreementWithJudge(votes, verdicts);
    expect(helpful).toMatchObject({ criterion: 'helpful', items: 5, withoutMajority: 0, withoutVerdict: 1 });
    expect(helpful!.agreed).toMatchObject({ count: 4, percent: 80 });
    // Two raters, five items: people w w t l w, judge w l t l w. Votes: w 5, t 2, l 3 of 10.
    // Po = 0.8, Pe = 0.25 + 0.04 + 0.09 = 0.38, κ = 0.42 / 0.62.
    expect(helpful!.kappa.value).toBeCloseTo(0.42 / 0.62, 12);
  });

  it('counts items without a majority, and has no figure where none is left', () => {
    const [helpful] = agreementWithJudge(votesOf('anna w', 'bo l'), new Map([['q1', 'win']]));
    expect(helpful).toMatchObject({ items: 0, agreed: null, kappa: { value: null }, withoutMajority: 1 });
  });
});

describe('exported votes', () => {
  const votes = [
    vote('q1', 'anna', 'win', { comment: 'says "no", twice\nand more', seconds: 3.5 }),
    vote('q1', 'bo', 'lose', { comment: '=HYPERLINK("x")' }),
    vote('x', 'bo', 'win', { attention: true, modelA: null, modelB: null }),
  ];

  it('are CSV with quotes where they are needed, and no formulas', () => {
    expect(votesToCsv(votes)).toBe(
      [
        'item,rater,criterion,choice,modelA,modelB,seconds,order,comment,attention',
        'q1,anna,helpful,win,a,b,3.5,AB,"says ""no"", twice\nand more",false',
        `q1,bo,helpful,lose,a,b,10,AB,"'=HYPERLINK(""x"")",false`,
        'x,bo,helpful,win,,,10,AB,,true',
        '',
      ].join('\r\n'),
    );
  });

  it('are read by `evaluate agreement`', () => {
    const file = join(scratch, 'votes.jsonl');
    writeFileSync(file, toJsonl(votes.map(exportedRow)));
    expect(readVotes(file)).toEqual(
      votes.map(({ item, rater, criterion, choice }) => ({ item, rater, criterion, choice })),
    );
  });
});
