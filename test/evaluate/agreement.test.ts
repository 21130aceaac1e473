import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { Rng } from '../../src/base/rng.ts';
import {
  agreementByCriterion,
  fleissKappa,
  krippendorffAlpha,
  readVotes,
  type Vote,
} from '../../src/evaluate/agreement.ts';

/** "5 0 1": five votes for choice 0, one for choice 2. */
const fromCounts = (rows: string): string[][] =>
  rows
    .trim()
    .split('\n')
    .map((row) =>
      row
        .trim()
        .split(/\s+/)
        .flatMap((votes, choice) => Array<string>(Number(votes)).fill(`${choice}`)),
    );

/** One line a rater, one place an item; "." is no vote. */
const fromRaters = (...raters: readonly string[]): string[][] =>
  [...raters[0]!].map((_, item) => raters.map((rater) => rater[item]!).filter((choice) => choice !== '.'));

/**
 * Fleiss 1971, table 1: 30 patients, each diagnosed by 6 psychiatrists (depression, personality disorder, schizophrenia,
 * neurosis, other). Published: κ = 0.430.
 */
const diagnoses = fromCounts(`
  0 0 0 6 0
  0 3 0 0 3
  0 1 4 0 1
  0 0 0 0 6
  0 3 0 3 0
  2 0 4 0 0
  0 0 4 0 2
  2 0 3 1 0
  2 0 0 4 0
  0 0 0 0 6
  1 0 0 5 0
  1 1 0 4 0
  0 3 3 0 0
  1 0 0 5 0
  0 2 0 3 1
  0 0 5 0 1
  3 0 0 1 2
  5 1 0 0 0
  0 2 0 4 0
  1 0 2 0 3
  0 0 0 0 6
  0 1 0 5 0
  0 2 0 1 3
  2 0 0 4 0
  1 0 0 4 1
  0 5 0 1 0
  4 0 0 0 2
  0 2 0 4 0
  1 0 5 0 0
  0 0 0 0 6
`);

/** Wikipedia, "Fleiss' kappa": 10 subjects, 14 raters, 5 categories. Published: κ = 0.210. */
const subjects = fromCounts(`
  0 0 0 0 14
  0 2 6 4 2
  0 0 3 5 6
  0 3 9 2 0
  2 2 8 1 1
  7 7 0 0 0
  3 2 6 3 0
  2 5 3 2 2
  6 5 2 1 0
  0 2 2 3 7
`);

// Krippendorff 2011, sections A to C. Published: α = 0.095, 0.692, 0.743.
const binary = fromRaters('0100000010', '1110010000');
const nominal = fromRaters('aabbdcccedda', 'babbbccceddd');
const incomplete = fromRaters('123321412...', '1233224125.3', '.3332342251.', '12332441251.');

describe('fleissKappa', () => {
  it('equals the published examples', () => {
    // Beyond the three published places: a count of agreeing pairs in Python.
    expect(fleissKappa(diagnoses).value).toBeCloseTo(0.43024452006014086, 12);
    expect(fleissKappa(subjects).value).toBeCloseTo(0.20993070442195522, 12);
  });

  it('is 1 where all agree on different choices, and below 0 where none does', () => {
    expect(fleissKappa(fromRaters('ab', 'ab', 'ab')).value).toBe(1);
    // Po = 0, Pe = ½.
    expect(fleissKappa(fromRaters('abab', 'baba')).value).toBe(-1);
  });

  it.each<[string, string[][], RegExp]>([
    ['other numbers of votes an item', incomplete, /items have 1 to 4 votes: .* the same number/],
    ['one vote an item', fromRaters('abc'), /one vote an item/],
    ['one choice only', fromRaters('aaa', 'aaa'), /same choice/],
  ])('is null, with the reason, for %s', (_, items, reason) => {
    expect(fleissKappa(items)).toEqual({
      value: null,
      low: null,
      high: null,
      reason: expect.stringMatching(reason),
    });
  });
});

describe('krippendorffAlpha', () => {
  it('equals the published examples', () => {
    expect(krippendorffAlpha(binary).value).toBeCloseTo(0.09523809523809523, 12);
    expect(krippendorffAlpha(nominal).value).toBeCloseTo(0.6919642857142858, 12);
    expect(krippendorffAlpha(incomplete).value).toBeCloseTo(0.7434210526315789, 12);
  });

  it('is not moved by items that only one rater saw', () => {
    expect(krippendorffAlpha([...nominal, ['a'], ['z']])).toEqual(krippendorffAlpha(nominal));
  });

  it('is the disagreement of all pairs within items against that of all pairs, whatever the votes', () => {
    const rng = new Rng('agreement.test');
    for (let round = 0; round < 50; round++) {
      const items = Array.from({ length: 2 + rng.int(6) }, () =>
        Array.from({ length: 1 + rng.int(5) }, () => 'abc'[rng.int(3)]!),
      );
      const compared = items.filter(({ length }) => length > 1);
      const all = compared.flat();
      const pairs = (votes: readonly string[]): number =>
        votes.reduce((sum, vote) => sum + votes.filter((other) => other !== vote).length, 0);
      const observed = compared.reduce((sum, votes) => sum + pairs(votes) / (votes.length - 1), 0) / all.length;
      const expected = pairs(all) / (all.length * (all.length - 1));
      const { value } = krippendorffAlpha(items);
      if (!(expected > 0)) expect(value).toBeNull();
      else expect(value).toBeCloseTo(1 - observed / expected, 12);
    }
  });

  it.each<[string, string[][], RegExp]>([
    ['no item with two votes', [['a'], ['b']], /no item has two votes/],
    ['one choice only', fromRaters('aaa', 'aaa', 'a.a'), /same choice/],
    ['one choice only, where votes can be compared', [['a', 'a'], ['b']], /same choice/],
  ])('is null, with the reason, for %s', (_, items, reason) => {
    expect(krippendorffAlpha(items)).toMatchObject({ value: null, low: null, reason: expect.stringMatching(reason) });
  });
});

describe('intervals', () => {
  it('have the bounds worked by hand for two items', () => {
    // Draws of (aa, ab): both items (½): Po ½, Pe (9 + 1) / 16, κ = −⅓; ab twice (¼): Po 0, Pe ½, κ = −1; aa twice (¼): none.
    const kappa = fleissKappa(fromRaters('aa', 'ab'));
    expect(kappa).toMatchObject({ value: -1 / 3, low: -1, high: -1 / 3 });
    expect(kappa.undefinedDraws! / 10_000).toBeCloseTo(0.25, 1);
  });

  it('hold the value, and are narrower for more items of the same kind', () => {
    const small = krippendorffAlpha(diagnoses);
    const large = krippendorffAlpha([...diagnoses, ...diagnoses, ...diagnoses, ...diagnoses]);
    expect(small.low! < small.value! && small.value! < small.high!).toBe(true);
    expect((small.high! - small.low!) / (large.high! - large.low!)).toBeCloseTo(2, 0);
    expect(small).not.toHaveProperty('undefinedDraws');
  });

  it('are none for one item', () => {
    expect(fleissKappa([['a', 'a', 'b']])).toMatchObject({ low: null, high: null, reason: 'one item has no interval' });
  });
});

const vote = (item: string, rater: string, choice: string, criterion: string | null = null): Vote => ({
  item,
  rater,
  criterion,
  choice,
});

describe('agreementByCriterion', () => {
  it('takes each criterion for itself, and counts what it is over', () => {
    const votes = [
      ...diagnoses.flatMap((choices, i) =>
        choices.map((choice, rater) => vote(`patient ${i}`, `${rater}`, choice, 'diagnosis')),
      ),
      vote('p', 'r1', 'yes', 'sure'),
      vote('p', 'r2', 'no', 'sure'),
      vote('q', 'r3', '__proto__', 'sure'),
    ];
    const [diagnosis, sure, ...rest] = agreementByCriterion(votes);
    expect(rest).toEqual([]);
    expect(diagnosis).toMatchObject({
      criterion: 'diagnosis',
      items: 30,
      raters: 6,
      votes: 180,
      votesPerItem: { least: 6, most: 6 },
      comparedItems: 30,
      choices: { 0: 26, 1: 26, 2: 30, 3: 55, 4: 43 },
    });
    expect(diagnosis!.fleissKappa.value).toBeCloseTo(0.43, 3);
    expect(sure).toMatchObject({
      items: 2,
      raters: 3,
      votes: 3,
      votesPerItem: { least: 1, most: 2 },
      comparedItems: 1,
    });
    expect(JSON.stringify(sure!.choices)).toBe('{"__proto__":1,"no":1,"yes":1}');
  });

  it('does not depend on the order of votes', () => {
    const votes = nominal.flatMap((choices, i) => choices.map((choice, rater) => vote(`${i}`, `${rater}`, choice)));
    const shuffled = new Rng('order').shuffle(votes);
    expect(agreementByCriterion(shuffled)).toEqual(agreementByCriterion(votes));
  });
});

describe('readVotes', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'understudy-votes-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const file = join(scratch, 'votes.jsonl');
  const issuesOf = (rows: readonly unknown[]): string[] => {
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    try {
      readVotes(file);
      return [];
    } catch (error) {
      return error instanceof DataError ? error.message.replaceAll(file, 'votes').split('\n') : [String(error)];
    }
  };

  it('takes numbers for names of items and raters, and a missing criterion for none', () => {
    writeFileSync(
      file,
      '{"item":1,"rater":7,"choice":""}\n{"item":"1","rater":8,"criterion":null,"choice":"a","ms":5}\n',
    );
    expect(readVotes(file)).toEqual([vote('1', '7', ''), vote('1', '8', 'a')]);
  });

  it('names every broken row', () => {
    expect(
      issuesOf([
        { item: 'a', rater: 'x', choice: 'win' },
        { rater: 'x', choice: 'win' },
        { item: 'a', rater: null, choice: 3 },
        { item: 'a', rater: 'y', choice: 'win', criterion: 4 },
        [1],
      ]),
    ).toEqual([
      'votes:2: item: expected a string or a number, got nothing',
      'votes:3: rater: expected a string or a number, got null',
      'votes:3: choice: expected a string, got a number',
      'votes:4: criterion: expected a string or nothing, got a number',
      'votes:5: expected an object, got an array',
    ]);
  });

  it('names a rater who votes twice on an item and criterion, even for the same; not one who votes on another', () => {
    const rows = [
      { item: 'a', rater: 'x', criterion: 'helpful', choice: 'win' },
      { item: 'a', rater: 'x', criterion: 'honest', choice: 'win' },
      { item: 'a', rater: 'x', choice: 'win' },
      { item: 'b', rater: 'x', criterion: 'helpful', choice: 'win' },
    ];
    expect(issuesOf(rows)).toEqual([]);
    expect(issuesOf([...rows, rows[0], { ...rows[2], choice: 'lose' }])).toEqual([
      'votes:5: expected one vote of rater x on item a, criterion helpful, found another in row 1',
      'votes:6: expected one vote of rater x on item a, found another in row 3',
    ]);
  });
});
