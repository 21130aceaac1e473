import { expect, it } from 'vitest';
import { type ChoiceRow, type ExactRow, summarizeAutomatic } from '../../src/evaluate/automatic-summary.ts';

const exactRow = (i: number, model: boolean, against: boolean): ExactRow => ({
  ...{ id: `e${i}`, language: 'en', category: i % 2 ? 'odd' : 'even', question: 'Q?', answers: ['a'] },
  model: { answer: '', exact: model, contained: true },
  against: { answer: '', exact: against, contained: true },
});
const marked = (right: boolean) => ({ chosen: 0, chosenPerByte: 0, right, rightPerByte: right, logprobs: [] });
const choiceRow = (i: number, model: boolean, against: boolean): ChoiceRow => ({
  ...{ id: `c${i}`, language: 'en', category: 'facts', question: 'Q?', options: ['a', 'b', 'c', 'd'], right: 0 },
  model: marked(model),
  against: marked(against),
});
const options = { model: 'after', against: 'before', questions: 'hash', hasTexts: false, tooLong: [] };
const rows = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

it('calls it forgotten where the loss stands after the correction for two', () => {
  // 10 lost of 40, none gained: p = 2 / 2¹⁰, twice that by Holm.
  const exact = rows(40, (i) => exactRow(i, i >= 20, i >= 10));
  const choice = rows(40, (i) => choiceRow(i, i % 2 === 0, i % 2 === 0));
  const { forgetting } = summarizeAutomatic({ loss: [], exact, choice }, options);
  expect(forgetting![0]).toMatchObject({ measure: 'exact', forgot: true, difference: { mean: -0.25 } });
  expect(forgetting![0]!.pHolm).toBeCloseTo(2 / 512, 12);
  expect(forgetting![0]!.words).toMatch(/25\.0 points lower/);
  expect(forgetting![1]).toMatchObject({ measure: 'choice', forgot: false, p: 1 });
});

it('neither a gain nor a loss that two looks would bring by chance is forgetting', () => {
  const gained = rows(40, (i) => exactRow(i, i >= 10, i >= 20));
  const same = rows(40, (i) => exactRow(i, i >= 20, i >= 20));
  // 6 lost, none gained: p = 2/64 = 0.03 alone, 0.06 of two.
  const lost = rows(40, (i) => choiceRow(i, i >= 26, i >= 20));
  const [better] = summarizeAutomatic({ loss: [], exact: gained, choice: [] }, options).forgetting!;
  expect(better).toMatchObject({ forgot: false, pHolm: expect.closeTo(2 / 1024, 12) });
  const [, worse] = summarizeAutomatic({ loss: [], exact: same, choice: lost }, options).forgetting!;
  expect(worse).toMatchObject({ forgot: false, p: expect.closeTo(2 / 64, 12), pHolm: expect.closeTo(4 / 64, 12) });
});

it('without questions of a kind there is no figure of it', () => {
  const summary = summarizeAutomatic({ loss: [], exact: [exactRow(1, true, true)], choice: [] }, options);
  expect(summary.choice).toEqual({});
  expect(summary.forgetting!.map(({ measure }) => measure)).toEqual(['exact']);
  expect(summary.exact['all']!.categories).toEqual({ odd: { n: 1, model: 1, against: 1 } });
});
